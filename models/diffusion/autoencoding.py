"""Between the pixels of videos and the latents of an image autoencoder, frame by frame (Rombach et al., 2022, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL
from torch import Generator, Tensor

from cascade.models.runtime.execution import Execution


def encode_frames(
    vae: AutoencoderKL, frames: Tensor, generators: Sequence[Generator], execution: Execution
) -> Tensor:
    """Sample a latent of every frame, times the autoencoder's scaling factor; in slices to bound memory.

    Args:
        frames: (batch, frames, 3, height, width) in [-1, 1].
        generators: a CPU one per video.
    Returns:
        (batch, frames, channels, height / factor, width / factor), about unit variance.
    """
    videos = []
    for video, generator in zip(frames.to(vae.dtype), generators, strict=True):
        moments = [vae.encode(part).latent_dist for part in _slices(video, execution)]
        mean = torch.cat([moment.mean for moment in moments]).float()
        std = torch.cat([moment.std for moment in moments]).float()
        videos.append(mean + std * torch.randn(mean.shape, generator=generator).to(mean.device))
    scale: float = vae.config.scaling_factor
    return torch.stack(videos) * scale


def decode_frames(vae: AutoencoderKL, latents: Tensor, execution: Execution) -> Tensor:
    """Undo `encode_frames`: (batch, frames, channels, height, width) of latents to pixels, about [-1, 1]."""
    latents = (latents / vae.config.scaling_factor).to(vae.dtype)
    return torch.stack(
        [torch.cat([vae.decode(part).sample for part in _slices(video, execution)]) for video in latents]
    ).float()


def _slices(video: Tensor, execution: Execution) -> tuple[Tensor, ...]:
    """Split frames (frames, channels, height, width) as the autoencoder takes them: one by one, or all at once."""
    return torch.split(video, 1 if execution.vae_slicing else len(video))
