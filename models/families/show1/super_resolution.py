"""Super-resolution at low spatial resolution by the pixel video UNet, window after window (Show-1, section 3.5)."""

from __future__ import annotations

from typing import Any, Self

import torch
from diffusers import DDPMScheduler
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.families.show1.first_frame import FirstFrame
from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.windows import overlapping_windows
from cascade.models.presets.table import StageSpec, SuperResolutionOptions
from cascade.models.runtime.device import resident
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, StageInputs
from cascade.models.text.encoders import PromptEncoder

NOISING_SCHEDULER = "image_noising_scheduler"


class SuperResolution(PixelStage):
    """Upscales overlapping windows; each sees the last upscaled frame of the one before.

    The condition of a window is its bilinearly resized clip, noised at the noise level, whose first frame is
    replaced by that upscaled frame, not noised. The first window gets the image model's frame where there is
    one, else zeros.
    """

    def __init__(
        self,
        unet: PixelVideoUNet,
        scheduler: Any,
        text: PromptEncoder,
        execution: Execution,
        noising: DDPMScheduler | None = None,
        first_frame: FirstFrame | None = None,
    ) -> None:
        super().__init__(unet, scheduler, text, execution)
        self.noising = noising or augmentation_schedule()
        self.first_frame = first_frame

    @classmethod
    def load(cls, spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        assert isinstance(spec.options, SuperResolutionOptions)
        stage = super().load(spec, checkpoints, execution)
        if checkpoints.has(spec.checkpoint, NOISING_SCHEDULER):
            stage.noising = checkpoints.scheduler(spec.checkpoint, NOISING_SCHEDULER)
        if spec.options.first_frame is not None and checkpoints.available(
            spec.options.first_frame.checkpoint
        ):
            stage.first_frame = FirstFrame.load(spec.options.first_frame, checkpoints, execution)
        return stage

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs, on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        assert isinstance(options, SuperResolutionOptions)
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
                    resized[:, :, span], previous, inputs, lambda k, _, done=done: on_step(done + k, total)
                )
                previous = upscaled[:, :, window.stop - options.overlap]
        return Clip(rearrange(upscaled, "b c f h w -> b f c h w").cpu(), spec.fps)

    def _upscale(self, resized: Tensor, previous: Tensor, inputs: StageInputs, on_step: OnStep) -> Tensor:
        """One window (batch, channels, frames, height, width), whose first frame is known to be `previous`."""
        noise_level = inputs.spec.options.noise_level
        generators = seeded_generators(inputs.seeds)
        noise = draw_noise(tuple(resized.shape[1:]), generators, self.device)
        augmentation = draw_noise(tuple(resized.shape[1:]), generators, self.device)
        condition = augment(resized, augmentation, noise_level, self.noising)
        condition[:, :, 0] = previous
        labels = None
        if self.unet.config.class_embed_type is not None:
            labels = torch.full((len(inputs.seeds),), noise_level)
        predict = guided_predictor(
            self.unet, inputs.embeddings, inputs.spec.guidance_scale, condition, labels
        )
        self.scheduler.set_timesteps(inputs.spec.steps)
        return denoise(predict, noise, self.scheduler, self.scheduler.timesteps, generators, on_step)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with aligned corners: (batch, frames, channels, h, w) to (batch, channels, frames, height, width)."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(folded, size=(height, width), mode="bilinear", align_corners=True)
    return rearrange(folded, "(b f) c h w -> b c f h w", b=frames.shape[0])
