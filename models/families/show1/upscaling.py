"""Super-resolution of a window of frames by noise conditioning augmentation (Show-1, section 3.5; Ho et al., 2022,
"Cascaded Diffusion Models"). An image is a window of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.clip import PromptEmbeddings
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.sampling import OnStep, draw_noise, sample_from_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.noise_augmentation import augment


@dataclass(frozen=True)
class Upscaler:
    """Upscales windows, each from its seeds again.

    Attributes:
        network: sees the noisy window and its condition, the resized window, noised at the noise level.
        scheduler: of the sampling.
        noising: of the augmentation.
        takes_noise_level: the network is told the noise level.
    """

    network: nn.Module
    scheduler: Scheduler
    noising: Scheduler
    steps: int
    guidance_scale: float
    noise_level: int
    takes_noise_level: bool

    def __call__(
        self,
        resized: Tensor,
        embeddings: PromptEmbeddings,
        seeds: Sequence[int],
        on_step: OnStep,
        first_frame: Tensor | None = None,
    ) -> Tensor:
        """Upscale a window that was resized already.

        Args:
            resized: (batch, channels, frames, height, width), about [-1, 1].
            seeds: one per video. As in the published code, all windows see the same noise.
            first_frame: (batch, channels, height, width), upscaled already; it takes the place of the condition's first
                frame, without noise. None leaves the noised frame.
        Returns:
            The upscaled window, shaped as `resized`.
        """
        generators = seeded_generators(seeds)
        noise = draw_noise(tuple(resized.shape[1:]), generators, resized.device)
        augmentation = draw_noise(tuple(resized.shape[1:]), generators, resized.device)
        condition = augment(resized, augmentation, self.noise_level, self.noising)
        if first_frame is not None:
            condition[:, :, 0] = first_frame
        labels = torch.full((len(seeds),), self.noise_level) if self.takes_noise_level else None
        predict = guided_predictor(self.network, embeddings, self.guidance_scale, condition, labels)
        return sample_from_noise(predict, noise, self.scheduler, self.steps, generators, on_step)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Resize bilinearly with aligned corners: (batch, frames, channels, h, w) to (batch, channels, frames, height, width)."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(folded, size=(height, width), mode="bilinear", align_corners=True)
    return rearrange(folded, "(b f) c h w -> b c f h w", b=frames.shape[0])
