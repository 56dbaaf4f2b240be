"""What a training step sees: clips with captions, fixed by the number of the step alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from models.training.moving_shapes import Sample, Scene


@dataclass(frozen=True)
class Batch:
    """Clips that are learned from.

    Attributes:
        frames: float32 (batch, frames, 3, height, width) in [-1, 1].
        captions: one per clip.
        scenes: what the clips show, where they are moving shapes that are not cropped; empty otherwise.
    """

    frames: Tensor
    captions: tuple[str, ...]
    scenes: tuple[Scene, ...] = ()


class Clips(Protocol):
    """An endless source of clips: items with `frames` (frames, 3, height, width) and a `caption`, by index."""

    def __getitem__(self, index: int) -> Any: ...


@dataclass(frozen=True)
class Batches(Dataset[Batch]):
    """Batches by number: number k holds the clips behind those of all numbers before, cropped at one random place."""

    clips: Clips
    size: int
    crop: tuple[int, int] | None
    seed: int

    def __getitem__(self, number: int) -> Batch:
        samples = [self.clips[index] for index in range(number * self.size, (number + 1) * self.size)]
        frames = torch.stack([sample.frames for sample in samples])
        captions = tuple(sample.caption for sample in samples)
        if self.crop is not None:
            return Batch(random_crop(frames, self.crop, seeded(self.seed, number, "data")), captions)
        return Batch(
            frames, captions, tuple(sample.scene for sample in samples if isinstance(sample, Sample))
        )


def seeded(seed: int, number: int, purpose: Literal["data", "loss"]) -> Generator:
    """The randomness of one batch, for one purpose: the same wherever and whenever it is asked for."""
    return Generator().manual_seed((seed << 40) + (number << 1) + (purpose == "loss"))


def random_crop(frames: Tensor, crop: tuple[int, int], generator: Generator) -> Tensor:
    """Cut the same place out of all frames; clips of several frames stay in step."""
    top, left = (
        int(torch.randint(size - part + 1, (), generator=generator))
        for size, part in zip(frames.shape[-2:], crop, strict=True)
    )
    return frames[..., top : top + crop[0], left : left + crop[1]].clone()
