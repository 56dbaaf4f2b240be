"""Fine-tuning on one video: what learns, and what comes out."""

from __future__ import annotations

from pathlib import Path

import torch

from cascade.models.families.show1.motion import is_motion, motion_of, unpack_motion
from cascade.models.families.show1.motion_training import RECIPE, MotionTraining, OneVideo
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.training.batch import Batches
from tests.models.families.show1.small_configs import KEYFRAMES
from tests.models.families.show1.small_trainings import parts_of


def test_the_temporal_attention_alone_learns() -> None:
    training = MotionTraining(*parts_of("keyframes", PixelVideoUNet(KEYFRAMES)))
    training.select(RECIPE.phases[0])
    learning = {name for name, parameter in training.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, _ in training.named_parameters() if "temp_attentions" in name}
    assert 0 < len(learning) < len(list(training.parameters()))


def test_the_result_is_an_adapter(tmp_path: Path) -> None:
    unet = PixelVideoUNet(KEYFRAMES)
    MotionTraining(*parts_of("keyframes", unet)).write(tmp_path / "run", torch.float32)
    motion = unpack_motion((tmp_path / "run" / "motion.safetensors").read_bytes())
    assert motion.keys() == {name for name, _ in unet.named_parameters() if is_motion(name)}
    own = motion_of(unet)
    assert all(torch.equal(motion[name], own[name]) for name in own)


def test_every_clip_of_one_video_is_the_video() -> None:
    frames = torch.rand(2, 3, 4, 4)
    batch = Batches(OneVideo(frames, "a red circle"), 3, None, 0)[5]
    assert batch.captions == ("a red circle",) * 3
    assert torch.equal(batch.frames, frames.expand(3, -1, -1, -1, -1))
