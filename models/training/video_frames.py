"""Pictures out of a video file at even times, whatever its own, from a place that is sought. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from cascade.models.errors import VideoFileError
from cascade.models.training.picture import fitted
from cascade.models.training.video_source import ShownFrame, Span, VideoSource, open_video

TOLERANCE = 0.25
"""Of a frame's duration: a frame that begins so little after a moment is shown then, as files round their times."""
JITTER = 0.35
"""Of the average duration of a frame: frames whose own differs by less are taken for even."""
READ_WHOLE_BYTES = 64 << 20
"""Up to this size a check measures a file, instead of believing what it says of its length."""


@dataclass(frozen=True)
class Sampling:
    """Frames of a file that make a clip.

    Attributes:
        frames: of the clip.
        stride: keep every n-th frame, at the file's average rate.
        fps: frames per second of the file's time, instead of the stride.
    """

    frames: int
    stride: int = 1
    fps: float | None = None

    def period(self, rate: float) -> float:
        """Return the seconds from one frame to the next in a file of `rate` frames per second."""
        return self.stride / rate if self.fps is None else 1 / self.fps

    def slack(self, span: Span) -> float:
        """Return the seconds within which a clip may begin; none are left where the file is too short."""
        return span.length - (self.frames - 1) * self.period(span.rate)


def read_pictures(
    path: Path,
    sampling: Sampling,
    height: int,
    width: int,
    place: float | None = None,
    *,
    cropped: bool = True,
) -> npt.NDArray[np.uint8]:
    """Read the pictures of a clip: upright, of square pixels, in the colours that players show.

    Args:
        place: where the clip begins: 0 is the first possible place, 1 the last; None takes the start of the file.
        cropped: cut the pictures at the centre to the aspect, then resize them; else resize the whole picture, whatever
            its aspect.
    Returns:
        (frames, height, width, 3), sRGB.
    Raises:
        VideoFileError: the file cannot be read, or is too short.
    """
    with _reasons(f"{path.name} "):
        return np.stack(_read(path, sampling, place, height, width, cropped=cropped))


def check_video(path: Path, sampling: Sampling) -> None:
    """Check that a clip can be read: its length, and its first frame.

    Raises:
        VideoFileError: it cannot; the message says why, without naming the file.
    """
    with _reasons(""):
        with open_video(path) as source:
            stated = source.stated_span()
        if stated is None or path.stat().st_size <= READ_WHOLE_BYTES or sampling.slack(stated) <= 0:
            _measure(path, sampling)
        with open_video(path) as source:
            first = next(source.frames(), None)
            if first is None:
                raise VideoFileError("has no frame that can be decoded")
            fitted(first.frame, source.pixel_aspect, 8, 8, cropped=True)


def _read(
    path: Path, sampling: Sampling, place: float | None, height: int, width: int, *, cropped: bool
) -> list[npt.NDArray[np.uint8]]:
    """Do as `read_pictures` does.

    What a file says of its length is believed at first, and that it can be sought in. Where one turns out to be wrong, it
    is measured, then decoded from the start; of a damaged one the beginning is used.
    """

    def attempt(
        place: float | None, span: Span | None = None, *, sought: bool
    ) -> list[npt.NDArray[np.uint8]]:
        with open_video(path) as source:
            span = span or source.stated_span()
            if span is None or sampling.slack(span) <= 0:
                return []
            moment = -math.inf if place is None else span.start + place * sampling.slack(span)
            frames = source.frames_from(moment) if sought else source.frames()
            chosen = even_frames(_from(frames, moment), sampling, span.rate)
            return _fit_all(chosen, source, height, width, cropped=cropped)

    images = attempt(place, sought=place is not None)
    if len(images) < sampling.frames:
        span = _measure(path, sampling)
        for tried, sought in ((place, True), (place, False), (None, False)):
            images = attempt(tried, span, sought=sought and tried is not None)
            if len(images) == sampling.frames:
                break
    if len(images) < sampling.frames:
        raise VideoFileError(f"is damaged: only {len(images)} of {sampling.frames} frames could be decoded")
    return images


def _measure(path: Path, sampling: Sampling) -> Span:
    """Return how long a file really is. Raises VideoFileError where it is too short."""
    with open_video(path) as source:
        span = source.measured_span()
    if sampling.slack(span) <= 0:
        if sampling.fps is None:
            needed = (sampling.frames - 1) * sampling.stride + 1
            raise VideoFileError(f"has {round(span.length * span.rate)} frames; {needed} are needed")
        needed_s = (sampling.frames - 1) * sampling.period(span.rate)
        raise VideoFileError(f"lasts {span.length:.2f} s; more than {needed_s:.2f} s are needed")
    return span


def _from(frames: Iterator[ShownFrame], moment: float) -> Iterator[ShownFrame]:
    """Leave out the frames before the one that is shown at a moment."""
    return dropwhile(lambda shown: shown.ends <= moment, frames)


def even_frames(frames: Iterable[ShownFrame], sampling: Sampling, rate: float) -> Iterator[ShownFrame]:
    """Yield the frames that are shown at even times from the first one on; one may come several times.

    Fewer come where there are no more.

    Args:
        frames: in order of time.
        rate: frames per second, on average.
    """
    period, done = sampling.period(rate), 0
    shown: ShownFrame | None = None
    for frame in _steadied(frames, rate) if sampling.fps is None else frames:
        if shown is None:
            origin = frame.begins
        else:
            tolerance = TOLERANCE * min(1 / rate, period, frame.ends - frame.begins)
            while done < sampling.frames and origin + done * period < frame.begins - tolerance:
                yield shown
                done += 1
        shown = frame
        while done < sampling.frames and origin + done * period <= frame.begins:
            yield shown
            done += 1
        if done == sampling.frames:
            return
    while shown is not None and done < sampling.frames and origin + done * period < shown.ends:
        yield shown
        done += 1


def _steadied(frames: Iterable[ShownFrame], rate: float) -> Iterator[ShownFrame]:
    """Let frames that come about as often as on average come exactly so: small errors of files must not add up."""
    begins, last = 0.0, None
    for frame in frames:
        if last is not None:
            begins += _steady(frame.begins - last.begins, rate)
        yield ShownFrame(begins, begins + _steady(frame.ends - frame.begins, rate), frame.frame)
        last = frame


def _steady(seconds: float, rate: float) -> float:
    return 1 / rate if abs(seconds * rate - 1) < JITTER else max(seconds, 0.0)


def _fit_all(
    frames: Iterator[ShownFrame], source: VideoSource, height: int, width: int, *, cropped: bool
) -> list[npt.NDArray[np.uint8]]:
    images: list[npt.NDArray[np.uint8]] = []
    last: ShownFrame | None = None
    for shown in frames:
        if last is not None and shown.frame is last.frame:
            images.append(images[-1])
        else:
            images.append(fitted(shown.frame, source.pixel_aspect, height, width, cropped=cropped))
        last = shown
    return images


@contextmanager
def _reasons(prefix: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into VideoFileError: no file that people bring may end a run."""
    try:
        yield
    except VideoFileError as error:
        raise VideoFileError(f"{prefix}{error}") from error
    except av.FFmpegError as error:
        raise VideoFileError(f"{prefix}cannot be read: {error.strerror}") from error
    except Exception as error:
        raise VideoFileError(f"{prefix}cannot be read: {error}") from error
