"""What stages exchange: clips of frames and the embeddings of a prompt."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clip:
    """A batch of videos between two stages.

    Attributes:
        frames: float tensor (batch, frames, channels, height, width); pixel values in [-1, 1], not clamped
            between stages (only when they become 8-bit frames).
        fps: frames per second.
    """

    frames: Tensor
    fps: int

    def __post_init__(self) -> None:
        if self.frames.ndim != 5 or not self.frames.is_floating_point():
            raise ValueError(
                f"a clip is a float tensor (batch, frames, channels, height, width); "
                f"got {self.frames.dtype} of shape {tuple(self.frames.shape)}"
            )

    def to_uint8(self) -> Tensor:
        """8-bit frames (batch, frames, height, width, channels), -1 as 0 and 1 as 255, clamped."""
        scaled = (self.frames.float().clamp(-1, 1) + 1) * 127.5
        return scaled.round().to(torch.uint8).permute(0, 1, 3, 4, 2)


@dataclass(frozen=True)
class PromptEmbeddings:
    """Text features of a prompt and of its negative prompt, made once and reused by stages that share an encoder.

    Attributes:
        prompt: (1, tokens, features).
        negative: (1, tokens, features).
    """

    prompt: Tensor
    negative: Tensor
