"""Video files with captions, as clips for training: a CSV (columns video, caption) or JSON lines (the same keys)."""

from __future__ import annotations

import copy
import csv
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

logger = logging.getLogger(__name__)

TRIES = 100


class NoVideo(ValueError):
    """A file cannot be read, or is too short."""


@dataclass(frozen=True)
class VideoSample:
    """frames: float32 (frames, 3, height, width) in [-1, 1]; skipped: files that could not be used in its place."""

    frames: Tensor
    caption: str
    skipped: tuple[Path, ...] = ()


@dataclass
class VideoFiles:
    """An endless map from an index to a clip: index by index, every pass in another order.

    A clip depends on the list, the seed and the index alone, so a run that goes on sees what it would have seen. A bad
    or too short file is skipped: the next one in the order takes its place, and the sample says so.

    Attributes:
        listing: the CSV or JSON-lines file; paths in it are relative to its folder and stay inside.
        frames, height, width: of each clip.
        stride: take every so many frames.
        cropped: pictures are cut at the centre to the aspect, then resized; else the whole picture is, whatever its
            aspect.
    Raises:
        ValueError: the list is empty, lacks a column, or a path leads out of its folder.
    """

    listing: Path
    frames: int
    height: int
    width: int
    seed: int = 0
    stride: int = 1
    cropped: bool = True

    def __post_init__(self) -> None:
        self.entries = read_listing(self.listing)

    def one_each(self) -> Self:
        """The same list with every video once, by the first of its captions."""
        distinct = copy.copy(self)
        distinct.entries = list({path: (path, caption) for path, caption in reversed(self.entries)}.values())
        return distinct

    def __getitem__(self, index: int) -> VideoSample:
        skipped: list[Path] = []
        for place in range(index, index + TRIES):
            path, caption = self._entry(place)
            rng = np.random.default_rng((self.seed, place))
            try:
                return VideoSample(self._clip(path, rng), caption, tuple(skipped))
            except NoVideo as reason:
                logger.info("skipping %s: %s", path, reason)
                skipped.append(path)
        raise ValueError(f"{TRIES} videos after another of {self.listing} cannot be used")

    def caption(self, index: int) -> str:
        """Of the entry that the index comes to first, whether or not its video can be used."""
        return self._entry(index)[1]

    def _entry(self, place: int) -> tuple[Path, str]:
        """The entry at a place of the endless order: each pass is shuffled by the seed and its number."""
        turn, position = divmod(place, len(self.entries))
        order = np.random.default_rng((self.seed, turn)).permutation(len(self.entries))
        return self.entries[order[position]]

    def _clip(self, path: Path, rng: np.random.Generator) -> Tensor:
        return read_clip(path, self.frames, self.height, self.width, self.stride, rng, cropped=self.cropped)


def read_clip(
    path: Path,
    frames: int,
    height: int,
    width: int,
    stride: int = 1,
    rng: np.random.Generator | None = None,
    *,
    cropped: bool = True,
) -> Tensor:
    """Frames of a video file from its start, or from a random place: (frames, 3, height, width) in [-1, 1].

    Raises:
        NoVideo
    """
    span = (frames - 1) * stride + 1
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            count = stream.frames or sum(1 for _ in container.decode(video=0))
            container.seek(0)
            if count < span:
                raise NoVideo(f"{path.name} has {count} frames; {span} are needed")
            first = 0 if rng is None else int(rng.integers(count - span + 1))
            images = [
                _fitted(frame.to_image(), height, width, cropped=cropped)
                for frame in islice(container.decode(video=0), first, first + span, stride)
            ]
    except (av.FFmpegError, OSError, IndexError) as error:
        raise NoVideo(f"{path.name} cannot be read: {error}") from error
    if len(images) < frames:
        raise NoVideo(f"only {len(images)} of {frames} frames of {path.name} could be decoded")
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _fitted(image: Image.Image, height: int, width: int, *, cropped: bool) -> np.ndarray:
    """Crop the centre to the aspect, if it is to be cropped, then resize with antialiasing."""
    if not cropped:
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box))


def read_listing(listing: Path) -> list[tuple[Path, str]]:
    """The videos and captions of a list. Raises ValueError as `VideoFiles` does."""
    with listing.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines)) if listing.suffix == ".csv" else _json_lines(listing, lines)
    if not rows:
        raise ValueError(f"{listing} lists no videos")
    folder = listing.parent.resolve()
    entries = []
    for number, row in enumerate(rows, 1):
        if not row.get("video") or row.get("caption") is None:
            raise ValueError(f"entry {number} of {listing} needs a video and a caption")
        path = (folder / row["video"]).resolve()
        if not path.is_relative_to(folder):
            raise ValueError(f'entry {number} of {listing}: "{row["video"]}" leads out of {folder}')
        entries.append((path, row["caption"]))
    return entries


def _json_lines(listing: Path, lines: Iterable[str]) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number} of {listing} is not JSON: {error}") from error
    return rows
