"""Which videos of a list can be used, before anything is trained on them. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cascade.models.errors import VideoFileError
from cascade.models.training.listing import Entry
from cascade.models.training.video_frames import Sampling, check_video

CHECKS_AT_ONCE = 4


@dataclass(frozen=True)
class ListCheck:
    """Videos of a list that can be used, with the number of their captions; and the others with the reason."""

    usable: tuple[Path, ...]
    captions: int
    unusable: Mapping[Path, str]


def check_entries(entries: Sequence[Entry], sampling: Sampling) -> ListCheck:
    """Open every video: see whether it is long enough, and whether its first frame can be shown."""
    paths = tuple(dict.fromkeys(entry.path for entry in entries))
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
        faults = dict(zip(paths, pool.map(lambda path: _fault(path, sampling), paths), strict=True))
    unusable = {path: fault for path, fault in faults.items() if fault is not None}
    usable = tuple(path for path in paths if path not in unusable)
    return ListCheck(usable, sum(entry.path not in unusable for entry in entries), unusable)


def _fault(path: Path, sampling: Sampling) -> str | None:
    """Return why a video cannot be used, or None."""
    try:
        check_video(path, sampling)
    except VideoFileError as error:
        return str(error)
    return None
