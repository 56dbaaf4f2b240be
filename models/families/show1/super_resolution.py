"""Super-resolution at low spatial resolution by the pixel video UNet, window after window (Show-1, section 3.5)."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from einops import rearrange
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.clip import Clip
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.first_frame import NOISING_SCHEDULER, FirstFrame
from cascade.models.families.show1.noise_augmentation import augmentation_schedule
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.families.show1.upscaling import Upscaler
from cascade.models.families.show1.upscaling import resize as resize
from cascade.models.families.show1.windows import overlapping_windows
from cascade.models.presets.show1 import SuperResolutionOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.device import resident
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, StageInputs
from cascade.models.text.encoders import PromptEncoder


class SuperResolution(PixelStage[SuperResolutionOptions]):
    """Upscales overlapping windows; each sees the last upscaled frame of the one before.

    The condition of a window is its bilinearly resized clip, noised at the noise level, whose first frame is
    replaced by that upscaled frame, not noised. The first window gets the image model's frame; without that model
    it keeps the noised one.

    Attributes:
        image_model: the class of the image model.
        blank_without_previous: without an image model the first window gets a frame of zeros, for networks that were
            trained so.
    """

    image_model: ClassVar[type[FirstFrame]] = FirstFrame
    blank_without_previous: ClassVar[bool] = False

    def __init__(
        self,
        unet: CheckpointNetwork,
        scheduler: Scheduler,
        text: PromptEncoder,
        execution: Execution,
        noising: Scheduler | None = None,
        first_frame: FirstFrame | None = None,
    ) -> None:
        super().__init__(unet, scheduler, text, execution)
        self.noising = noising or augmentation_schedule()
        self.first_frame = first_frame

    @classmethod
    def load(
        cls, spec: StageSpec[SuperResolutionOptions], checkpoints: Checkpoints, execution: Execution
    ) -> Self:
        stage = super().load(spec, checkpoints, execution)
        if checkpoints.has(spec.checkpoint, NOISING_SCHEDULER):
            stage.noising = checkpoints.scheduler(spec.checkpoint, NOISING_SCHEDULER)
        if spec.options.first_frame is not None and checkpoints.available(
            spec.options.first_frame.checkpoint
        ):
            stage.first_frame = cls.image_model.load(spec.options.first_frame, checkpoints, execution)
        return stage

    @classmethod
    def requirements(cls, spec: StageSpec[SuperResolutionOptions]) -> tuple[Requirement, ...]:
        image_model = spec.options.first_frame
        if image_model is None:
            return super().requirements(spec)
        return (*super().requirements(spec), cls.image_model.requirement(image_model))

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[SuperResolutionOptions], on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        source = inputs.previous_frames(spec.frames).to(self.device)
        steps = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds)))
        windows = overlapping_windows(spec.frames, options.window, options.overlap)
        resized = resize(source, spec.height, spec.width)  # b c f h w
        upscale = Upscaler(
            self.unet,
            self.scheduler,
            self.noising,
            spec.steps,
            spec.guidance_scale,
            options.noise_level,
            self.unet.takes_noise_level,
        )
        previous = self._before_first_window(inputs, steps)
        upscaled = torch.empty_like(resized)
        with resident(self.unet, self.execution):
            for window in windows:
                span = slice(window.start, window.stop)
                upscaled[:, :, span] = upscale(
                    resized[:, :, span], inputs.embeddings, inputs.seeds, steps.part(spec.steps), previous
                )
                previous = upscaled[:, :, window.stop - options.overlap] if options.overlap else None
        return Clip(rearrange(upscaled, "b c f h w -> b f c h w").cpu(), spec.fps)

    def _before_first_window(
        self, inputs: StageInputs[SuperResolutionOptions], steps: PlannedSteps
    ) -> Tensor | None:
        """Make what the first window sees as its first frame.

        Returns:
            (batch, channels, height, width), or None for the noised resized frame.
        """
        spec, planned = inputs.spec, inputs.spec.options.first_frame
        if planned is not None and self.first_frame is not None:
            return self.first_frame(inputs, steps.part(planned.steps))
        if planned is not None:
            steps.skip(planned.steps)
        if not self.blank_without_previous:
            return None
        batch, _, channels = inputs.previous_frames().shape[:3]
        return torch.zeros(batch, channels, spec.height, spec.width, device=self.device)
