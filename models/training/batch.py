"""The clips of a training step, fixed by the number of its batch alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset


class TrainingClip(Protocol):
    """A clip to learn from."""

    @property
    def frames(self) -> Tensor:
        """float32 (frames, 3, height, width) in [-1, 1]."""
        ...

    @property
    def caption(self) -> str: ...

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Video files that could not be used in its place."""
        ...

    @property
    def annotation(self) -> object | None:
        """Anything that the data know of the clip beyond its caption."""
        ...


@dataclass(frozen=True, eq=False)
class CaptionedClip:
    """A clip of which no more is known than its caption. Attributes as in `TrainingClip`."""

    frames: Tensor
    caption: str
    skipped: tuple[Path, ...] = ()
    annotation: object | None = None


class Clips(Protocol):
    """An endless source of clips, by index."""

    def __getitem__(self, index: int, /) -> TrainingClip: ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips to learn from.

    Attributes:
        frames: float32 (batch, frames, 3, height, width) in [-1, 1].
        captions: one per clip.
        annotations: one per clip; empty where the data know nothing but captions, or the clips are cropped.
        skipped: video files that could not be used in their places.
    """

    frames: Tensor
    captions: tuple[str, ...]
    annotations: tuple[object, ...] = ()
    skipped: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        # The gradients of frozen convolutions over frames in another order of memory crash on some CPUs.
        object.__setattr__(self, "frames", self.frames.contiguous())


@dataclass(frozen=True)
class Batches(Dataset[Batch]):
    """Batches by number: number k holds the clips behind those of all numbers before, cropped at one random place.

    Attributes:
        size: clips per batch; 0 makes empty batches, for a loss that needs no clips.
        crop: height and width; None leaves the clips whole.
    """

    clips: Clips
    size: int
    crop: tuple[int, int] | None
    seed: int

    def __getitem__(self, number: int) -> Batch:
        if self.size == 0:
            return Batch(torch.empty(0), ())
        clips = [self.clips[index] for index in range(number * self.size, (number + 1) * self.size)]
        frames = torch.stack([clip.frames for clip in clips])
        captions = tuple(clip.caption for clip in clips)
        annotations = tuple(clip.annotation for clip in clips if clip.annotation is not None)
        skipped = tuple(path for clip in clips for path in clip.skipped)
        if self.crop is not None:
            frames, annotations = random_crop(frames, self.crop, seeded(self.seed, number, "data")), ()
        return Batch(frames, captions, annotations, skipped)


def seeded(seed: int, number: int, purpose: Literal["data", "loss"]) -> Generator:
    """Make the generator of one batch for one purpose: the same wherever and whenever it is made."""
    return Generator().manual_seed((seed << 40) + (number << 1) + (purpose == "loss"))


def random_crop(frames: Tensor, crop: tuple[int, int], generator: Generator) -> Tensor:
    """Cut the same random place out of all frames.

    Args:
        frames: (..., height, width).
        crop: height and width of the place.
    Returns:
        (..., *crop), a copy.
    """
    top, left = (
        int(torch.randint(size - part + 1, (), generator=generator))
        for size, part in zip(frames.shape[-2:], crop, strict=True)
    )
    return frames[..., top : top + crop[0], left : left + crop[1]].clone()
