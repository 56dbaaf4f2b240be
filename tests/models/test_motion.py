"""Motion customisation: an adapter is put on, taken off, and refused where it does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.show1.motion import (
    MotionMisfit,
    is_motion,
    motion_of,
    pack_motion,
    unpack_motion,
    with_motion,
)
from cascade.models.families.show1.motion_training import OneVideo, train_motion
from cascade.models.presets.table import SHAPES, StageKind
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs


def keyframes(checkpoints: Path, motion: Mapping[str, Tensor] | None, stage: object = None) -> Tensor:
    (spec, *_) = SHAPES.resolve(steps={"keyframes": 2})
    stage = stage or load_stage(spec, Checkpoints(checkpoints), Execution())
    embeddings = stage.text.encode("a red circle", "")
    inputs = StageInputs(spec, "a red circle", "", embeddings, (7,), motion=motion)
    return stage(inputs, lambda *_: None).frames


@pytest.mark.slow
def test_a_motion_is_learned_put_on_and_taken_off_again(shapes_checkpoints: Path, tmp_path: Path) -> None:
    spec = SHAPES.stage(StageKind.KEYFRAMES)
    found = Checkpoints(shapes_checkpoints)
    sample = MovingShapes("train", 8, 20, 32)[0]
    losses: list[float] = []
    video = OneVideo(sample.frames, sample.caption)
    content = train_motion(spec, found, video, tmp_path, lambda p: losses.append(p.loss), steps=4)
    assert len(losses) == 4
    assert len(content) < 3 * 2**20  # of a network of 16 MiB
    motion = unpack_motion(content)
    own = motion_of(found.pixel_unet(spec.checkpoint, Execution(device="cpu")))
    assert motion.keys() == own.keys()
    assert any(not torch.equal(motion[name], own[name]) for name in own)

    stage = load_stage(spec, found, Execution())
    plain = keyframes(shapes_checkpoints, None, stage)
    moved = keyframes(shapes_checkpoints, motion, stage)
    assert not torch.equal(plain, moved)
    assert torch.equal(keyframes(shapes_checkpoints, None, stage), plain)


def test_a_motion_is_temporal_attention_alone(shapes_checkpoints: Path) -> None:
    unet = Checkpoints(shapes_checkpoints).pixel_unet("shapes/keyframes", Execution(device="cpu"))
    motion = unpack_motion(pack_motion(motion_of(unet)))
    assert motion.keys() == {name for name, _ in unet.named_parameters() if is_motion(name)}
    assert 10 < len(motion) < len(list(unet.parameters()))


def test_the_network_is_itself_again_after_a_fault(shapes_checkpoints: Path) -> None:
    unet = Checkpoints(shapes_checkpoints).pixel_unet("shapes/keyframes", Execution(device="cpu"))
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    motion = {name: tensor + 1 for name, tensor in motion_of(unet).items()}
    with pytest.raises(RuntimeError, match="in the middle"), with_motion(unet, motion):
        assert any(not torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())
        raise RuntimeError("in the middle")
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())


@pytest.mark.parametrize(
    "content",
    [b"nothing", save({"conv_in.weight": torch.zeros(1)}), save({})],
    ids=["no safetensors", "other tensors", "empty"],
)
def test_what_is_no_motion_is_refused(content: bytes) -> None:
    with pytest.raises(MotionMisfit):
        unpack_motion(content)


def test_a_motion_of_another_network_is_refused(shapes_checkpoints: Path) -> None:
    found = Checkpoints(shapes_checkpoints)
    unet = found.pixel_unet("shapes/keyframes", Execution(device="cpu"))
    other = motion_of(found.pixel_unet("shapes/super-resolution", Execution(device="cpu")))
    with pytest.raises(MotionMisfit, match="another network"), with_motion(unet, other):
        pass
