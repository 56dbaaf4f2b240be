"""Clips of pixels, latents, and the embeddings of a prompt: all that stages exchange."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clip:
    """A batch of videos in pixel space.

    Attributes:
        frames: float tensor (batch, frames, channels, height, width); pixel values in [-1, 1], not clamped
            between stages (only when they become 8-bit frames).
        fps: frames per second.
    """

    frames: Tensor
    fps: int

    def __post_init__(self) -> None:
        _check_axes("a clip", self.frames)

    def split(self) -> tuple[Clip, ...]:
        """Split the batch into its videos, each as a batch of one."""
        return tuple(replace(self, frames=video[None]) for video in self.frames)

    def to_uint8(self) -> Tensor:
        """Quantise to 8 bits: (batch, frames, height, width, channels), -1 as 0 and 1 as 255, clamped."""
        scaled = (self.frames.float().clamp(-1, 1) + 1) * 127.5
        return scaled.round().to(torch.uint8).permute(0, 1, 3, 4, 2)

    def save(self, path: str | Path) -> Path:
        """Write the first video in the format that the name's ending says; missing folders are made.

        Raises:
            ValueError: the name does not end in `.mp4`, `.webm`, `.gif` or `.webp`.
            OutputError: the file cannot be written; what was there is left as it was.
        """
        from cascade.models.media.video import write_video

        path = Path(path)
        write_video(self, path)
        return path


@dataclass(frozen=True)
class Latents:
    """A batch of videos in the latent space of an autoencoder.

    Attributes:
        latents: float tensor (batch, frames, channels, height, width), scaled as the autoencoder's own latents are
            for diffusion (about unit variance).
        fps: frames per second.
        autoencoder: the checkpoint whose autoencoder decodes them.
    """

    latents: Tensor
    fps: int
    autoencoder: str

    def __post_init__(self) -> None:
        _check_axes("latents", self.latents)

    def split(self) -> tuple[Latents, ...]:
        """Split the batch into its videos, each as a batch of one."""
        return tuple(replace(self, latents=video[None]) for video in self.latents)


Output = Clip | Latents
"""The result of a stage, handed to the next one."""


@dataclass(frozen=True)
class PromptEmbeddings:
    """Text features of a prompt and of its negative prompt, made once and reused by stages that share an encoder.

    Attributes:
        prompt: (1, tokens, features).
        negative: (1, tokens, features).
    """

    prompt: Tensor
    negative: Tensor


def _check_axes(what: str, values: Tensor) -> None:
    """Raise ValueError unless `values` are floats (batch, frames, channels, height, width)."""
    if values.ndim != 5 or not values.is_floating_point():
        raise ValueError(
            f"{what}: expected a float tensor (batch, frames, channels, height, width); "
            f"got {values.dtype} of shape {tuple(values.shape)}"
        )
