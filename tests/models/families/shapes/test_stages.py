"""The stages of Show-1 with the small cascade's network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage, stage_class
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.image_unet import ShapesImageUNet
from cascade.models.families.shapes.scene import Scene
from cascade.models.families.shapes.stages import (
    SmallFirstFrame,
    SmallInterpolation,
    SmallKeyframes,
    SmallSuperResolution,
)
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.motion import is_motion, motion_of
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")
STILL = Scene("circle", "red", "gray", "large", "standing still", 0.5, 0.5)


def test_each_stage_of_the_preset_is_its_own() -> None:
    assert [stage_class(spec) for spec in SHAPES.stages] == [
        SmallKeyframes,
        SmallInterpolation,
        SmallSuperResolution,
        ExpertTranslation,
    ]
    for spec in SHAPES.stages[:3]:
        requirement, *image_model = stage_class(spec).requirements(spec)
        assert requirement.networks == {"unet": ShapesUNet}
        assert [further.networks for further in image_model] == (
            [{"unet": ShapesImageUNet}] if spec.name == "super-resolution" else []
        )


def test_super_resolution_begins_with_the_image_models_frame(shapes_checkpoints: Path) -> None:
    """Its steps are counted, and its frame is what the first window keeps: the untrained network predicts its condition."""
    spec = SHAPES.resolve(steps={"super-resolution": 1})[2]
    stage = load_stage(spec, Checkpoints(shapes_checkpoints), CPU)
    assert isinstance(stage, SmallSuperResolution)
    assert isinstance(stage.first_frame, SmallFirstFrame)
    source = Clip(render(STILL, 29, 20, 32)[None], 8)
    text = stage.text.encode("a red circle", "")
    inputs: StageInputs[Any] = StageInputs(spec, "a red circle", "", text, (7,), source)
    steps: list[tuple[int, int]] = []
    clip = stage(inputs, lambda step, count: steps.append((step, count)))
    assert isinstance(clip, Clip)
    assert steps == [(step, 6) for step in range(1, 7)]  # two of the image model, one in each of four windows
    torch.testing.assert_close(clip.frames[:, 0], stage.first_frame(inputs))


def test_a_motion_is_of_the_unet_within(shapes_checkpoints: Path) -> None:
    """So that an adapter of Show-1's form fits, whatever is around the UNet."""
    (spec, *_) = SHAPES.resolve(steps={"keyframes": 2})
    stage = load_stage(spec, Checkpoints(shapes_checkpoints), CPU)
    small = stage
    assert isinstance(small, SmallKeyframes)
    motion = {name: tensor + 0.1 for name, tensor in motion_of(small.motion_network).items()}
    assert motion
    assert all(is_motion(name) and not name.startswith("unet.") for name in motion)
    plain = StageInputs(spec, "a red circle", "", stage.text.encode("a red circle", ""), (7,))
    frames = []
    for inputs in (plain, replace(plain, motion=motion), plain):
        clip = stage(inputs, lambda *_: None)
        assert isinstance(clip, Clip)
        frames.append(clip.frames)
    assert not torch.equal(frames[0], frames[1])
    assert torch.equal(frames[0], frames[2])


def test_embeddings_handed_in_spare_the_text_encoder(shapes_checkpoints: Path) -> None:
    checkpoints = Checkpoints(shapes_checkpoints)
    embeddings = load_stage(SHAPES.stages[0], checkpoints, CPU).text.encode("a red circle", "")
    assert embeddings.prompt.shape == (1, 64, 64)
    spec = SHAPES.resolve(steps={"interpolation": 1})[1]
    interpolation = load_stage(replace(spec, text_encoder="nowhere"), checkpoints, CPU)
    clip = Clip(torch.zeros(1, 8, 3, 20, 32), 2)
    made = interpolation(StageInputs(spec, "a red circle", "", embeddings, (7,), clip), lambda *_: None)
    assert isinstance(made, Clip)
    assert made.frames.shape == (1, 29, 3, 20, 32)
