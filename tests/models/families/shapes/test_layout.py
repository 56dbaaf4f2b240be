"""Layouts: what a caption leaves open of a scene, drawn by a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cascade.models.families.shapes.layout import VARIABLES, draw_layouts, layout_of
from cascade.models.families.shapes.scene import Scene, Second, random_scene

COUNT = 3_000


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_seed_fixes_the_layout_of_its_video_whatever_is_beside_it() -> None:
    alone, together = draw_layouts((7,)), draw_layouts((3, 7))
    assert torch.equal(alone[0], together[1])
    assert not torch.equal(together[0], together[1])
    assert together.shape == (2, len(VARIABLES))


def test_layouts_of_scenes_are_spread_as_drawn_ones_are() -> None:
    """Uniform in [-1, 1]: mean 0, standard deviation 0.577."""
    rng, own = np.random.default_rng(0), generator()
    layouts = torch.stack([layout_of(random_scene("train", rng), (), own) for _ in range(COUNT)])
    drawn = draw_layouts(range(COUNT))
    for layout in (layouts, drawn):
        assert layout.mean(0).abs().max() < 0.06
        assert (layout.std(0) - 0.577).abs().max() < 0.05
    assert layouts.abs().max() <= 1


@pytest.mark.parametrize(
    ("variable", "scene", "value"),
    [
        (
            "x",
            Scene("circle", "red", "white", "small", "moving right", 0.1, 0.5, 0.8),
            0.0,
        ),  # 0.1 of 1 - 0.8 is the middle
        ("x", Scene("circle", "red", "white", "small", "moving left", 0.9, 0.5, 0.8), 0.0),
        ("x", Scene("circle", "red", "white", "small", "standing still", 0.25, 0.5), -0.5),
        ("y", Scene("circle", "red", "white", "small", "moving right", 0.1, 1.0, 0.8), 1.0),
        ("travel", Scene("circle", "red", "white", "small", "moving right", 0.0, 0.5, 1.0), 1.0),
    ],
)
def test_places_are_those_that_the_scene_was_drawn_from(variable: str, scene: Scene, value: float) -> None:
    layout = layout_of(scene, (), generator())
    assert float(layout[VARIABLES.index(variable)]) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(("relation", "first", "second"), [("above", 0.1, 0.9), ("below", 0.9, 0.1)])
def test_of_two_shapes_the_nearer_place_counts_whichever_is_first(
    relation: str, first: float, second: float
) -> None:
    """0.1 of the 0.2 that a distance of 0.8 leaves is the middle."""
    other = Second("square", "blue", relation, 0.5, second)
    scene = Scene("circle", "red", "white", "small", "standing still", 0.5, first, second=other)
    layout = layout_of(scene, (), generator())
    assert float(layout[VARIABLES.index("near")]) == pytest.approx(0, abs=1e-4)
    assert float(layout[VARIABLES.index("aslant")]) == pytest.approx(0, abs=1e-4)


def test_what_the_caption_mentions_is_drawn_anew_and_the_rest_is_the_scenes() -> None:
    scene = Scene("cross", "cyan", "light blue", "large", "moving right", 0.1, 0.5, 0.8)
    own = generator()
    told = torch.stack([layout_of(scene, {"colour", "size"}, own) for _ in range(300)])
    spread = dict(zip(VARIABLES, told.std(0).tolist(), strict=True))
    assert spread["colour"] > 0.5
    assert spread["size"] > 0.5
    assert spread["shape"] < 0.2
    assert spread["x"] == pytest.approx(0, abs=1e-5)
    large = told[:, VARIABLES.index("shape")]
    assert large.min() >= 0.5  # the cross is the last of four shapes
