"""Video files with captions, as clips for training."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from cascade.models.errors import VideoFileError
from cascade.models.training.batch import CaptionedClip
from cascade.models.training.list_check import ListCheck, check_entries
from cascade.models.training.listing import Columns, Entry, read_listing
from cascade.models.training.video_frames import Sampling
from cascade.models.training.video_reading import read_clip

logger = logging.getLogger(__name__)

TRIES = 100
"""Places of the order that are tried at least, and every entry of the list."""


@dataclass
class VideoFiles:
    """An endless map from an index to a clip: index by index, every pass in another order.

    A clip depends on the list, the seed and the index alone, so a run that goes on sees what it would have seen. A bad
    or too short file is skipped: the next one in the order takes its place, and the clip says so.

    Attributes:
        listing: the list, as `read_listing` takes it; paths in it are relative to its folder and stay inside.
        frames, height, width: of each clip.
        seed: fixes the order of the videos and the places of the clips in them.
        stride: keep every n-th frame.
        cropped: cut the pictures at the centre to the aspect, then resize them; else resize the whole picture, whatever
            its aspect.
        fps: frames per second of the files' time, instead of the stride.
        columns: of the list.
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
    fps: float | None = None
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        self.entries = read_listing(self.listing, self.columns)

    def one_each(self) -> Self:
        """Return the same list with every video once, by the first of its captions."""
        distinct = copy.copy(self)
        distinct.entries = tuple({entry.path: entry for entry in reversed(self.entries)}.values())
        return distinct

    def check(self) -> ListCheck:
        """Open every video: see which can be used, and why others cannot."""
        return check_entries(self.entries, Sampling(self.frames, self.stride, self.fps))

    def __getitem__(self, index: int) -> CaptionedClip:
        """Read the clip of an index.

        Raises:
            VideoFileError: no file of the list can be used.
        """
        skipped: dict[Path, str] = {}
        tries = max(TRIES, 2 * len(self.entries))  # any two passes hold a whole one
        for place in range(index, index + tries):
            entry = self._entry(place)
            if entry.path in skipped:
                continue
            rng = np.random.default_rng((self.seed, place))
            try:
                frames = read_clip(
                    *(entry.path, self.frames, self.height, self.width, self.stride, rng),
                    cropped=self.cropped,
                    fps=self.fps,
                )
            except VideoFileError as reason:
                logger.info("skipping %s: %s", entry.path, reason)
                skipped[entry.path] = str(reason)
            else:
                return CaptionedClip(frames, entry.caption, tuple(skipped))
        first = next(iter(skipped.values()))
        raise VideoFileError(f"{tries} videos after another of {self.listing} cannot be used; {first}")

    def caption(self, index: int) -> str:
        """Return the caption of the entry that the index comes to first, whether or not its video can be used."""
        return self._entry(index).caption

    def _entry(self, place: int) -> Entry:
        """Return the entry at a place of the endless order: each pass is shuffled by the seed and its number."""
        turn, position = divmod(place, len(self.entries))
        order = np.random.default_rng((self.seed, turn)).permutation(len(self.entries))
        return self.entries[int(order[position])]
