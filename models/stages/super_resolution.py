"""Super-resolution at low spatial resolution by the pixel video UNet, window after window (Show-1, section 3.5)."""

from __future__ import annotations

from typing import Self

import torch
from diffusers import DDPMScheduler
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from models.checkpoints import Checkpoints
from models.clip import Clip, PromptEmbeddings
from models.device import resolve_device
from models.execution import Execution
from models.guidance import guided_predictor
from models.networks.pixel_unet import PixelVideoUNet
from models.noise_augmentation import augment, augmentation_schedule
from models.presets import StageSpec, SuperResolutionOptions
from models.sampling import denoise, draw_noise, seeded_generators
from models.stage import OnStep, StageInputs
from models.stages.first_frame import FirstFrame
from models.text import LazyEncoder
from models.windows import overlapping_windows

NOISING_SCHEDULER = "image_noising_scheduler"


class SuperResolution:
    """Upscales overlapping windows; each sees the last upscaled frame of the one before.

    The condition of a window is its bilinearly resized clip, noised at the noise level, whose first frame is
    replaced by that upscaled frame, not noised. The first window gets the image model's frame where there is
    one, else zeros.
    """

    def __init__(
        self,
        unet: PixelVideoUNet,
        scheduler: object,
        noising: DDPMScheduler,
        first_frame: FirstFrame | None,
        text: LazyEncoder,
        device: torch.device,
    ) -> None:
        self.unet, self.scheduler, self.noising = unet, scheduler, noising
        self.first_frame, self.text, self.device = first_frame, text, device

    @classmethod
    def load(cls, spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        assert isinstance(spec.options, SuperResolutionOptions)
        published = checkpoints.has(spec.checkpoint, NOISING_SCHEDULER)
        first = spec.options.first_frame
        return cls(
            checkpoints.pixel_unet(spec.checkpoint, execution),
            checkpoints.scheduler(spec.checkpoint),
            checkpoints.scheduler(spec.checkpoint, NOISING_SCHEDULER)
            if published
            else augmentation_schedule(),
            None if first is None else FirstFrame.load(first, checkpoints, execution),
            LazyEncoder(lambda: checkpoints.t5(spec.text_encoder, execution)),
            resolve_device(execution),
        )

    def encode_prompt(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        return self.text.encode(prompt, negative_prompt)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs, on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        assert isinstance(options, SuperResolutionOptions)
        resized = resize(_clip(inputs).to(self.device), spec.height, spec.width)  # b c f h w
        windows = overlapping_windows(spec.frames, options.window, options.overlap)
        self.scheduler.set_timesteps(spec.steps)
        timesteps = self.scheduler.timesteps
        upscaled = torch.empty_like(resized)
        previous = self._first_frame(inputs)
        for index, window in enumerate(windows):
            done, total = index * len(timesteps), len(windows) * len(timesteps)
            generators = seeded_generators(inputs.seeds)
            span = slice(window.start, window.stop)
            noise = draw_noise(tuple(resized[0, :, span].shape), generators, self.device)
            augmentation = draw_noise(tuple(noise.shape[1:]), generators, self.device)
            condition = augment(resized[:, :, span], augmentation, options.noise_level, self.noising)
            condition[:, :, 0] = previous
            predict = guided_predictor(
                self.unet, inputs.embeddings, spec.guidance_scale, condition, self._noise_levels(inputs)
            )
            upscaled[:, :, span] = denoise(
                predict,
                noise,
                self.scheduler,
                timesteps,
                generators,
                lambda k, _, done=done, total=total: on_step(done + k, total),
            )
            previous = upscaled[:, :, window.stop - options.overlap]
        return Clip(rearrange(upscaled, "b c f h w -> b f c h w").cpu(), spec.fps)

    def _first_frame(self, inputs: StageInputs) -> Tensor:
        if self.first_frame is None:
            channels = inputs.clip.frames.shape[2]
            return torch.zeros(len(inputs.seeds), channels, inputs.spec.height, inputs.spec.width)
        return self.first_frame(inputs).to(self.device)

    def _noise_levels(self, inputs: StageInputs) -> Tensor | None:
        if self.unet.config.class_embed_type is None:
            return None
        return torch.full((len(inputs.seeds),), inputs.spec.options.noise_level, device=self.device)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with aligned corners: (batch, frames, channels, h, w) to (batch, channels, frames, height, width)."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(folded, size=(height, width), mode="bilinear", align_corners=True)
    return rearrange(folded, "(b f) c h w -> b c f h w", b=frames.shape[0])


def _clip(inputs: StageInputs) -> Tensor:
    expected = (len(inputs.seeds), inputs.spec.frames)
    if inputs.clip is None or inputs.clip.frames.shape[:2] != expected:
        got = None if inputs.clip is None else tuple(inputs.clip.frames.shape)
        raise ValueError(f"super-resolution needs {expected[0]} videos of {expected[1]} frames; got {got}")
    return inputs.clip.frames
