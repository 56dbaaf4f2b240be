"""The stages of Show-1 with the small cascade's network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage, stage_class
from cascade.models.families.shapes.stages import SmallInterpolation, SmallKeyframes, SmallSuperResolution
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.motion import is_motion, motion_of
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")


def test_each_stage_of_the_preset_is_its_own() -> None:
    assert [stage_class(spec) for spec in SHAPES.stages] == [
        SmallKeyframes,
        SmallInterpolation,
        SmallSuperResolution,
        ExpertTranslation,
    ]
    for spec in SHAPES.stages[:3]:
        (requirement,) = stage_class(spec).requirements(spec)
        assert requirement.networks == {"unet": ShapesUNet}


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
    assert embeddings.prompt.shape == (1, 32, 64)
    spec = SHAPES.resolve(steps={"interpolation": 1})[1]
    interpolation = load_stage(replace(spec, text_encoder="nowhere"), checkpoints, CPU)
    clip = Clip(torch.zeros(1, 8, 3, 20, 32), 2)
    made = interpolation(StageInputs(spec, "a red circle", "", embeddings, (7,), clip), lambda *_: None)
    assert isinstance(made, Clip)
    assert made.frames.shape == (1, 29, 3, 20, 32)
