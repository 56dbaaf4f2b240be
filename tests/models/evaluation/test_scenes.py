"""Which scenes a preset is evaluated on."""

from __future__ import annotations

from cascade.models.evaluation.scenes import scenes_for
from cascade.models.families.registry import family_of
from cascade.models.families.shapes.scenes import shapes_scene


def test_a_family_with_scenes_is_evaluated_on_its_own() -> None:
    assert scenes_for("shapes") is shapes_scene


def test_a_family_without_scenes_is_evaluated_on_those_of_another() -> None:
    assert family_of("show-1").scenes is None
    assert scenes_for("show-1")("train", 0, 5).prompt == shapes_scene("train", 0, 5).prompt
