"""What a training step sees: clips with captions, fixed by the number of the step alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from models.training.moving_shapes import MovingShapes


@dataclass(frozen=True)
class Batch:
    """frames: float32 (batch, frames, 3, height, width) in [-1, 1]; one caption per clip."""

    frames: Tensor
    captions: tuple[str, ...]


class Clips(Protocol):
    """An endless source of clips by index."""

    def __getitem__(self, index: int) -> object: ...


def draw_batch(clips: MovingShapes, first: int, size: int) -> Batch:
    """The clips `first` to `first + size`."""
    samples = [clips[index] for index in range(first, first + size)]
    return Batch(torch.stack([sample.frames for sample in samples]), tuple(s.caption for s in samples))


def random_crop(frames: Tensor, crop: tuple[int, int] | None, generator: Generator) -> Tensor:
    """Cut the same place out of all frames; clips of several frames stay in step."""
    if crop is None:
        return frames
    top, left = (
        int(torch.randint(size - part + 1, (), generator=generator))
        for size, part in zip(frames.shape[-2:], crop, strict=True)
    )
    return frames[..., top : top + crop[0], left : left + crop[1]]
