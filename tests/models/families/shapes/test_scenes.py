"""Scenes of moving shapes for evaluation."""

from __future__ import annotations

import itertools

import torch

from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scenes import shapes_scene


def test_a_scene_is_that_of_the_clip_with_its_number() -> None:
    clips = MovingShapes("held-out", 8, 20, 32, seed=20_000)
    for index in range(20):
        scene, sample = shapes_scene("held-out", index, 20_000), clips[index]
        assert scene.prompt == canonical_caption(sample.scene)
        assert torch.equal(scene.render(8, 20, 32), sample.frames)


def test_a_clip_is_checked_against_its_scene() -> None:
    scenes = [shapes_scene("train", index, 20_000) for index in range(10)]
    for scene, other in itertools.pairwise(scenes):
        assert all(scene.check(scene.render(8, 40, 64)).values())
        assert not scene.check(other.render(8, 40, 64))["all_correct"]
