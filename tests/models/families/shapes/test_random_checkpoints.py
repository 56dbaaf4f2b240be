"""The untrained cascade with a fixed seed."""

from __future__ import annotations

from pathlib import Path

from cascade.models.checkpoints.files import locate, verify
from cascade.models.checkpoints.requirements import requirements
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.presets.shapes import SHAPES


def test_the_same_seed_makes_the_same_checkpoints(tmp_path: Path, shapes_checkpoints: Path) -> None:
    create_random_shapes(tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 15
    for file in files:
        assert (tmp_path / file).read_bytes() == (shapes_checkpoints / file).read_bytes(), file


def test_they_are_all_that_the_preset_needs(shapes_checkpoints: Path) -> None:
    for requirement in requirements(SHAPES):
        place = locate(shapes_checkpoints, requirement.name)
        assert place == shapes_checkpoints / requirement.name
        assert verify(place, requirement) == []


def test_a_cascade_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    create_random_shapes(tmp_path)
    assert list((tmp_path / "shapes").iterdir()) == []
