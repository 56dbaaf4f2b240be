"""The base of the stages in pixel space: a pixel video UNet, its scheduler and a T5 encoder."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar, Self, TypeVar

from diffusers import DDPMScheduler

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.presets.spec import AnyStageSpec, StageOptions, StageSpec
from cascade.models.runtime.device import resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage
from cascade.models.text.encoders import LazyEncoder, PromptEncoder

OptionsT = TypeVar("OptionsT", bound=StageOptions)


class PixelStage(Stage[OptionsT]):
    """Holds the parts; the stages add what they do with them.

    Attributes:
        network: the class of the UNet.
    """

    network: ClassVar[type[CheckpointNetwork]] = PixelVideoUNet

    def __init__(
        self, unet: CheckpointNetwork, scheduler: Scheduler, text: PromptEncoder, execution: Execution
    ) -> None:
        self.unet, self.scheduler, self.text, self.execution = unet, scheduler, text, execution
        self.device = resolve_device(execution)

    @classmethod
    def load(cls, spec: StageSpec[OptionsT], checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(
            checkpoints.network(spec.checkpoint, cls.network, execution),
            pixel_scheduler(spec, checkpoints),
            LazyEncoder(lambda: checkpoints.t5(spec.text_encoder, execution, clean=spec.clean_captions)),
            execution,
        )

    @classmethod
    def requirements(cls, spec: StageSpec[OptionsT]) -> tuple[Requirement, ...]:
        parts = ("unet",) if spec.schedule is not None else ("unet", "scheduler")
        text = ("text_encoder", "tokenizer") if spec.text_encoder == spec.checkpoint else ()
        return (Requirement(spec.checkpoint, (*parts, *text), {"unet": cls.network}),)


def pixel_scheduler(spec: AnyStageSpec, checkpoints: Checkpoints) -> Scheduler:
    """Return the scheduler that the preset prescribes, else the checkpoint's own."""
    if spec.schedule is None:
        return checkpoints.scheduler(spec.checkpoint)
    scheduler: Scheduler = DDPMScheduler(**asdict(spec.schedule))
    return scheduler
