"""Trainings of small networks with the form of the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Generator, Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.training import KeyframesTraining
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.training.batch import Batch
from cascade.models.training.recipe import Recipe
from cascade.models.training.text_conditioning import CaptionEncoder
from tests.models.families.show1.recorder import NoText, small_spec
from tests.models.families.show1.small_configs import KEYFRAMES, TEXT_WIDTH

RECIPE = Recipe(phases=())


class SilentCaptions(CaptionEncoder):
    """Gives every caption the same features, without a text encoder."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.text = NoText()  # type: ignore[assignment]

    def select(self, *, trained: bool) -> None:
        self.trained = trained

    def forward(
        self, captions: Sequence[str], _dropout: float, _generator: Generator, *, padded: bool = True
    ) -> Tensor:
        """(batch, tokens, features)."""
        assert padded
        return torch.ones(len(captions), 2, TEXT_WIDTH)


def parts_of(stage: str, unet: CheckpointNetwork, **options: Any) -> tuple[Any, ...]:
    """Return what a training of a stage of Show-1 is made of: frames of 32x16 pixels, and prediction of the clean sample."""
    spec: AnyStageSpec = small_spec(stage, height=16, width=32)
    spec = replace(spec, options=replace(spec.options, **options))
    return spec, RECIPE, unet, SilentCaptions(), DDIMScheduler(prediction_type="sample")


def keyframes_training() -> KeyframesTraining:
    torch.manual_seed(0)
    return KeyframesTraining(*parts_of("keyframes", PixelVideoUNet(KEYFRAMES)))


def random_batch(clips: int, frames: int, height: int = 16, width: int = 32) -> Batch:
    """Return smooth random clips, about [-1, 1]."""
    coarse = torch.randn(clips, frames * 3, 3, 5, generator=torch.Generator().manual_seed(0))
    fine = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(-1, 1)
    return Batch(fine.view(clips, frames, 3, height, width), ("a caption",) * clips)
