"""What a training step sees: clips with captions, fixed by the number of the step alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from cascade.models.families.shapes.moving_shapes import Sample, Scene
from cascade.models.training.video_files import VideoSample


@dataclass(frozen=True)
class Batch:
    """Clips that are learned from.

    Attributes:
        frames: float32 (batch, frames, 3, height, width) in [-1, 1].
        captions: one per clip.
        scenes: what the clips show, where they are moving shapes that are not cropped; empty otherwise.
        skipped: video files that could not be used in their places.
    """

    frames: Tensor
    captions: tuple[str, ...]
    scenes: tuple[Scene, ...] = ()
    skipped: tuple[Path, ...] = ()


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
        if self.size == 0:
            return Batch(torch.empty(0), ())
        samples = [self.clips[index] for index in range(number * self.size, (number + 1) * self.size)]
        frames = torch.stack([sample.frames for sample in samples])
        captions = tuple(sample.caption for sample in samples)
        scenes = tuple(sample.scene for sample in samples if isinstance(sample, Sample))
        skipped = tuple(
            path for sample in samples if isinstance(sample, VideoSample) for path in sample.skipped
        )
        if self.crop is not None:
            frames, scenes = random_crop(frames, self.crop, seeded(self.seed, number, "data")), ()
        return Batch(frames, captions, scenes, skipped)


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
