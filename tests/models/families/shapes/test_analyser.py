"""The analyser against rendered ground truth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
import torch

from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scene import COLOURS

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
