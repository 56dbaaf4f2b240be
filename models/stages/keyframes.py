"""Keyframes: a few frames at a very low resolution by the pixel video UNet (Show-1, section 3.3)."""

from __future__ import annotations

from typing import Self

import torch
from einops import rearrange

from models.checkpoints import Checkpoints
from models.clip import Clip, PromptEmbeddings
from models.device import resolve_device
from models.execution import Execution
from models.guidance import guided_predictor
from models.networks.pixel_unet import PixelVideoUNet
from models.presets import StageSpec
from models.sampling import denoise, draw_noise, seeded_generators
from models.stage import OnStep, StageInputs
from models.text import LazyEncoder

CHANNELS = 3


class Keyframes:
    """Samples the keyframes from noise and text."""

    def __init__(
        self, unet: PixelVideoUNet, scheduler: object, text: LazyEncoder, device: torch.device
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

    def encode_prompt(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        return self.text.encode(prompt, negative_prompt)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs, on_step: OnStep) -> Clip:
        spec = inputs.spec
        generators = seeded_generators(inputs.seeds)
        noise = draw_noise((CHANNELS, spec.frames, spec.height, spec.width), generators, self.device)
        self.scheduler.set_timesteps(spec.steps)
        predict = guided_predictor(self.unet, inputs.embeddings, spec.guidance_scale)
        video = denoise(predict, noise, self.scheduler, self.scheduler.timesteps, generators, on_step)
        return Clip(rearrange(video, "b c f h w -> b f c h w").cpu(), spec.fps)
