"""The moving shapes dataset: deterministic, inside the picture, described truly, and split without overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.drawing import render, shape_maps
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    COMBINATIONS,
    MOTIONS,
    SHAPES,
    Scene,
    Second,
    is_held_out,
)

RED_CIRCLE = Scene("circle", "red", "gray", "large", "moving right", 0.0, 0.5, travel=1.0)


def test_an_index_fixes_its_clip_in_any_order_of_access() -> None:
    clips, again = (MovingShapes("train", 8, 20, 32, seed=5) for _ in range(2))
    for index in (17, 0, 3):
        assert torch.equal(clips[index].frames, again[index].frames)
        assert clips[index].caption == again[index].caption
    assert clips[0].scene != MovingShapes("train", 8, 20, 32, seed=6)[0].scene


def test_keyframes_are_every_fourth_frame_of_the_clip() -> None:
    for index in range(20):
        scene = MovingShapes("train", 8, 20, 32)[index].scene
        assert torch.equal(render(scene, 29, 20, 32)[::4], render(scene, 8, 20, 32))


def test_a_small_picture_is_the_large_one_reduced() -> None:
    small = render(RED_CIRCLE, 3, 40, 64)
    large = render(RED_CIRCLE, 3, 160, 256)
    reduced = torch.nn.functional.interpolate(large, size=(40, 64), mode="area")
    assert (small - reduced).abs().mean() < 0.01


def test_colours_and_places_are_those_of_the_scene() -> None:
    frames = (render(RED_CIRCLE, 29, 160, 256) + 1) * 127.5
    assert np.allclose(frames[0, :, 2, 2], BACKGROUNDS["gray"], atol=0.5)
    # The large circle's radius is 0.28 of the height, 0.02 stay free: its centre begins at 0.3 of the height.
    assert np.allclose(frames[0, :, 80, 48], COLOURS["red"], atol=0.5)
    assert np.allclose(frames[-1, :, 80, 256 - 48], COLOURS["red"], atol=0.5)
    assert np.allclose(frames[-1, :, 80, 48], BACKGROUNDS["gray"], atol=0.5)


def test_shape_maps_agree_with_the_colours_in_the_picture() -> None:
    blue_square = Second("square", "blue", "left of", 0.9, 0.5)
    scene = Scene("circle", "red", "gray", "small", "standing still", 0.1, 0.5, second=blue_square)
    frames, maps = (render(scene, 2, 40, 64) + 1) * 127.5, shape_maps(scene, 2, 40, 64)
    for shape, colour in (("circle", "red"), ("square", "blue")):
        inside = maps[0, SHAPES.index(shape)] == 1
        assert inside.sum() > 100  # radius 7.2 pixels: 163 of the circle, 161 of the square of 12.7
        assert np.allclose(frames[0][:, inside].T, COLOURS[colour], atol=0.5)
    nothing = maps[0].sum(0) == 0
    assert np.allclose(frames[0][:, nothing].T, BACKGROUNDS["gray"], atol=0.5)
    assert not maps[:, [SHAPES.index("triangle"), SHAPES.index("cross")]].any()


@pytest.mark.parametrize(("height", "width"), [(160, 256), (128, 128), (256, 160)])
def test_shapes_stay_inside_the_picture(height: int, width: int) -> None:
    for index in range(100):
        sample = MovingShapes("train", 8, height, width)[index]
        rows = [sample.frames[:, :, 0], sample.frames[:, :, -1]]
        columns = [sample.frames[..., 0], sample.frames[..., -1]]
        border = torch.cat([*rows, *columns], dim=-1)
        assert border.amax(dim=-1).sub(border.amin(dim=-1)).max() < 0.02, sample.scene


def test_the_canonical_caption_names_all_that_is_asked_for() -> None:
    assert canonical_caption(RED_CIRCLE) == "a red circle moving right on a gray background"


def test_held_out_combinations_are_never_trained_on() -> None:
    held_out = set(COMBINATIONS["held-out"])
    assert not held_out & set(COMBINATIONS["train"])
    assert 0.08 < len(held_out) / (len(SHAPES) * len(COLOURS) * len(MOTIONS)) < 0.12
    assert not is_held_out("circle", "red", "moving right")
    for split in ("train", "held-out"):
        for index in range(300):
            scene = MovingShapes(split, 1, 20, 32)[index].scene
            assert is_held_out(scene.shape, scene.colour, scene.motion) == (split == "held-out")
            if scene.second:
                assert not is_held_out(scene.second.shape, scene.second.colour, "standing still")


def test_every_shape_colour_motion_and_background_is_drawn() -> None:
    scenes = [MovingShapes("train", 1, 20, 32)[index].scene for index in range(1500)]
    assert {scene.shape for scene in scenes} == set(SHAPES)
    assert {scene.colour for scene in scenes} == set(COLOURS)
    assert {scene.motion for scene in scenes} == set(MOTIONS)
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert 0.2 < sum(scene.second is not None for scene in scenes) / len(scenes) < 0.3


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(IndexError):
        MovingShapes("train", 8, 20, 32)[-1]
