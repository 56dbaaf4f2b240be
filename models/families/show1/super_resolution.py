"""Super-resolution at low spatial resolution by the pixel video UNet, window after window (Show-1, section 3.5)."""

from __future__ import annotations

from typing import Self

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.clip import Clip
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.first_frame import FirstFrame
from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.families.show1.windows import overlapping_windows
from cascade.models.presets.show1 import SuperResolutionOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.device import resident
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, StageInputs
from cascade.models.text.encoders import PromptEncoder

NOISING_SCHEDULER = "image_noising_scheduler"


class SuperResolution(PixelStage[SuperResolutionOptions]):
    """Upscales overlapping windows; each sees the last upscaled frame of the one before.

    The condition of a window is its bilinearly resized clip, noised at the noise level, whose first frame is
    replaced by that upscaled frame, not noised. The first window gets the image model's frame where there is
    one, else zeros.
    """

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
            stage.first_frame = FirstFrame.load(spec.options.first_frame, checkpoints, execution)
        return stage

    @classmethod
    def requirements(cls, spec: StageSpec[SuperResolutionOptions]) -> tuple[Requirement, ...]:
        image_model = spec.options.first_frame
        if image_model is None:
            return super().requirements(spec)
        parts = ("unet", "scheduler", NOISING_SCHEDULER)
        return (*super().requirements(spec), Requirement(image_model.checkpoint, parts, optional=True))

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[SuperResolutionOptions], on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        source = inputs.previous_frames(spec.frames).to(self.device)
        resized = resize(source, spec.height, spec.width)  # b c f h w
        windows = overlapping_windows(spec.frames, options.window, options.overlap)
        total = spec.steps * len(windows)
        upscaled = torch.empty_like(resized)
        previous = torch.zeros_like(resized[:, :, 0])
        if self.first_frame is not None:
            previous = self.first_frame(inputs).to(self.device)
        with resident(self.unet, self.execution):
            for index, window in enumerate(windows):
                span, done = slice(window.start, window.stop), index * spec.steps
                upscaled[:, :, span] = self._upscale(
                    resized[:, :, span], previous, inputs, _offset(on_step, done, total)
                )
                previous = upscaled[:, :, window.stop - options.overlap]
        return Clip(rearrange(upscaled, "b c f h w -> b f c h w").cpu(), spec.fps)

    def _upscale(
        self, resized: Tensor, previous: Tensor, inputs: StageInputs[SuperResolutionOptions], on_step: OnStep
    ) -> Tensor:
        """Upscale one window (batch, channels, frames, height, width), whose first frame is to be `previous`."""
        noise_level = inputs.spec.options.noise_level
        # As in the published code, every window starts from the seed again: all see the same noise.
        generators = seeded_generators(inputs.seeds)
        noise = draw_noise(tuple(resized.shape[1:]), generators, self.device)
        augmentation = draw_noise(tuple(resized.shape[1:]), generators, self.device)
        condition = augment(resized, augmentation, noise_level, self.noising)
        condition[:, :, 0] = previous
        labels = None
        if self.unet.takes_noise_level:
            labels = torch.full((len(inputs.seeds),), noise_level)
        predict = guided_predictor(
            self.unet, inputs.embeddings, inputs.spec.guidance_scale, condition, labels
        )
        self.scheduler.set_timesteps(inputs.spec.steps)
        return denoise(predict, noise, self.scheduler, self.scheduler.timesteps, generators, on_step)


def _offset(on_step: OnStep, done: int, total: int) -> OnStep:
    """Report the steps of one window as steps of all windows."""
    return lambda k, _: on_step(done + k, total)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Resize bilinearly with aligned corners: (batch, frames, channels, h, w) to (batch, channels, frames, height, width)."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(folded, size=(height, width), mode="bilinear", align_corners=True)
    return rearrange(folded, "(b f) c h w -> b c f h w", b=frames.shape[0])
