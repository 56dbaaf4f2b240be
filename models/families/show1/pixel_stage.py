"""What the stages in pixel space are made of: a pixel video UNet, its scheduler and a T5 encoder."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Self

from diffusers import DDPMScheduler

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.presets.table import StageSpec
from cascade.models.runtime.device import resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.text.encoders import LazyEncoder, PromptEncoder


def pixel_scheduler(spec: StageSpec, checkpoints: Checkpoints) -> Any:
    """The scheduler that the preset prescribes, else the checkpoint's own."""
    if spec.schedule is None:
        return checkpoints.scheduler(spec.checkpoint)
    return DDPMScheduler(**asdict(spec.schedule))


class PixelStage:
    """Holds the parts; the stages add what they do with them."""

    def __init__(
        self, unet: PixelVideoUNet, scheduler: Any, text: PromptEncoder, execution: Execution
    ) -> None:
        self.unet, self.scheduler, self.text, self.execution = unet, scheduler, text, execution
        self.device = resolve_device(execution)

    @classmethod
    def load(cls, spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(
            checkpoints.pixel_unet(spec.checkpoint, execution),
            pixel_scheduler(spec, checkpoints),
            LazyEncoder(lambda: checkpoints.t5(spec.text_encoder, execution, clean=spec.clean_captions)),
            execution,
        )
