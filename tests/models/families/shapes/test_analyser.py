"""The analyser against rendered ground truth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scene import BACKGROUNDS, COLOURS, SHAPES, Scene

SIZES = [(8, 20, 32, 300), (29, 20, 32, 150), (29, 80, 128, 80), (29, 160, 256, 40)]


@pytest.mark.parametrize(("frames", "height", "width", "count"), SIZES)
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_rendered_clips_are_analysed_correctly(
    frames: int, height: int, width: int, count: int, noise: float
) -> None:
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for split in ("train", "held-out"):
        clips = MovingShapes(split, frames, height, width, seed=99)
        for index in range(count // 2):
            sample = clips[index]
            generator = torch.Generator().manual_seed(index)
            noised = sample.frames + noise * torch.randn(sample.frames.shape, generator=generator)
            for attribute, agreed in agreement(analyse(noised), sample.scene).items():
                right[attribute].append(agreed)
    shares = {attribute: sum(agreed) / len(agreed) for attribute, agreed in right.items()}
    assert set(shares) == {"colour", "shape", "background", "motion", "relation", "all_correct"}
    assert min(shares.values()) >= 0.99, shares


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_told_apart_when_small_and_blurred(shape: str) -> None:
    """Networks blur: a mean over 3 by 3 pixels, of shapes with a radius of 3.6 pixels."""
    scene = Scene(shape, "red", "gray", "small", "moving right", 0.1, 0.4, 0.7)
    for count, height, width, blur in ((8, 20, 32, 3), (8, 80, 128, 7)):
        sharp = render(scene, count, height, width)
        blurred = functional.avg_pool2d(sharp, blur, stride=1, padding=blur // 2, count_include_pad=False)
        checks = agreement(analyse(blurred), scene)
        assert checks["all_correct"], (checks, height)


@pytest.mark.parametrize("background", list(BACKGROUNDS))
def test_every_colour_is_found_on_every_background(background: str) -> None:
    for number, colour in enumerate(COLOURS):
        for shape in SHAPES:
            scene = Scene(shape, colour, background, "small", "standing still", 0.5, 0.5)
            generator = torch.Generator().manual_seed(number)
            frames = render(scene, 8, 20, 32)
            noised = frames + 0.08 * torch.randn(frames.shape, generator=generator)
            assert agreement(analyse(noised), scene)["all_correct"], (shape, colour)


def test_a_wrong_attribute_is_noticed() -> None:
    clips = MovingShapes("train", 8, 20, 32, seed=99)
    singles = [sample for sample in (clips[index] for index in range(60)) if sample.scene.second is None]
    for sample in singles[:20]:
        scene, detection = sample.scene, analyse(sample.frames)
        colour = next(name for name in COLOURS if name != scene.colour)
        for attribute, wrong in (
            ("colour", replace(scene, colour=colour)),
            ("shape", replace(scene, shape="cross" if scene.shape != "cross" else "circle")),
            ("background", replace(scene, background="pink" if scene.background != "pink" else "white")),
            ("motion", replace(scene, motion="growing" if scene.motion != "growing" else "moving up")),
        ):
            checks = agreement(detection, wrong)
            assert not checks[attribute]
            assert not checks["all_correct"]


@pytest.mark.parametrize("frames", [torch.zeros(8, 3, 20, 32), torch.randn(8, 3, 20, 32).clamp(-1, 1)])
def test_a_clip_without_shapes_shows_no_scene(frames: torch.Tensor) -> None:
    scene = MovingShapes("train", 8, 20, 32)[0].scene
    assert not agreement(analyse(frames), scene)["all_correct"]
