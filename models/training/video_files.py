"""Video files with captions, as clips for training: a CSV (columns video, caption) or JSON lines (the same keys)."""

from __future__ import annotations

import copy
import csv
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cascade.models.errors import VideoFileError
from cascade.models.training.batch import CaptionedClip
from cascade.models.training.video_reading import read_clip

logger = logging.getLogger(__name__)

TRIES = 100


@dataclass
class VideoFiles:
    """An endless map from an index to a clip: index by index, every pass in another order.

    A clip depends on the list, the seed and the index alone, so a run that goes on sees what it would have seen. A bad
    or too short file is skipped: the next one in the order takes its place, and the clip says so.

    Attributes:
        listing: the CSV or JSON-lines file; paths in it are relative to its folder and stay inside.
        frames, height, width: of each clip.
        seed: fixes the order of the videos and the places of the clips in them.
        stride: keep every n-th frame.
        cropped: cut the pictures at the centre to the aspect, then resize them; else resize the whole picture, whatever
            its aspect.
    Raises:
        VideoFileError: the list is empty, lacks a column, or a path leads out of its folder.
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
        """Return the same list with every video once, by the first of its captions."""
        distinct = copy.copy(self)
        distinct.entries = list({path: (path, caption) for path, caption in reversed(self.entries)}.values())
        return distinct

    def __getitem__(self, index: int) -> CaptionedClip:
        """Read the clip of an index.

        Raises:
            VideoFileError: too many files after another cannot be used.
        """
        skipped: list[Path] = []
        for place in range(index, index + TRIES):
            path, caption = self._entry(place)
            rng = np.random.default_rng((self.seed, place))
            try:
                frames = read_clip(
                    path, self.frames, self.height, self.width, self.stride, rng, cropped=self.cropped
                )
            except VideoFileError as reason:
                logger.info("skipping %s: %s", path, reason)
                skipped.append(path)
            else:
                return CaptionedClip(frames, caption, tuple(skipped))
        raise VideoFileError(f"{TRIES} videos after another of {self.listing} cannot be used")

    def caption(self, index: int) -> str:
        """Return the caption of the entry that the index comes to first, whether or not its video can be used."""
        return self._entry(index)[1]

    def _entry(self, place: int) -> tuple[Path, str]:
        """Return the entry at a place of the endless order: each pass is shuffled by the seed and its number."""
        turn, position = divmod(place, len(self.entries))
        order = np.random.default_rng((self.seed, turn)).permutation(len(self.entries))
        return self.entries[int(order[position])]


def read_listing(listing: Path) -> list[tuple[Path, str]]:
    """Read the videos and captions of a list. Raises VideoFileError as `VideoFiles` does."""
    with listing.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines)) if listing.suffix == ".csv" else _json_lines(listing, lines)
    if not rows:
        raise VideoFileError(f"{listing} lists no videos")
    folder = listing.parent.resolve()
    return [_entry(row, folder, f"entry {number} of {listing}") for number, row in enumerate(rows, 1)]


def _entry(row: Mapping[str, str], folder: Path, where: str) -> tuple[Path, str]:
    """Return the path and caption of a row. Raises VideoFileError as `VideoFiles` does."""
    video, caption = row.get("video"), row.get("caption")
    if not video or caption is None:
        raise VideoFileError(f"{where} needs a video and a caption")
    path = (folder / video).resolve()
    if not path.is_relative_to(folder):
        raise VideoFileError(f'{where}: "{video}" leads out of {folder}')
    return path, caption


def _json_lines(listing: Path, lines: Iterable[str]) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise VideoFileError(f"line {number} of {listing} is not JSON: {error}") from error
    return rows
