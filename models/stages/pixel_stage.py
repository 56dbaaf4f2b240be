"""What the stages in pixel space are made of: a pixel video UNet, its scheduler and a T5 encoder."""

from __future__ import annotations

from typing import Any, Self

import torch

from models.checkpoints import Checkpoints
from models.device import resolve_device
from models.execution import Execution
from models.networks.pixel_unet import PixelVideoUNet
from models.presets import StageSpec
from models.text import LazyEncoder, PromptEncoder


class PixelStage:
    """Holds the parts; the stages add what they do with them."""

    def __init__(
        self, unet: PixelVideoUNet, scheduler: Any, text: PromptEncoder, device: torch.device
    ) -> None:
        self.unet, self.scheduler, self.text, self.device = unet, scheduler, text, device

    @classmethod
    def load(cls, spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(
            checkpoints.pixel_unet(spec.checkpoint, execution),
            checkpoints.scheduler(spec.checkpoint),
            LazyEncoder(lambda: checkpoints.t5(spec.text_encoder, execution)),
            resolve_device(execution),
        )
