"""A video file that is open: its picture, its length, and its frames from a moment on. Messages do not name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from cascade.models.errors import VideoFileError

DEFAULT_RATE = 25.0
"""Frames per second where a file does not say."""
NO_TIMES = 0x80
"""FFmpeg's flag of formats that are a bare stream (AVFMT_NOTIMESTAMPS)."""
EARLIER_S = (0, 5, 30)
"""Seconds before a moment from which it is looked for, in turn, where a file has few places to begin at."""


@dataclass(frozen=True)
class Span:
    """The seconds, on a file's own clock, at which its first frame begins and its last one ends, and frames per second."""

    start: float
    end: float
    rate: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class ShownFrame:
    """A decoded frame, and the seconds between which it is shown."""

    begins: float
    ends: float
    frame: av.VideoFrame


@dataclass(frozen=True)
class VideoSource:
    """An open file.

    Attributes:
        stream: the picture among its streams, not a cover.
        rate: frames per second, on average.
    """

    container: InputContainer
    stream: VideoStream
    rate: float

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height."""
        return self.stream.sample_aspect_ratio or Fraction(1)

    @property
    def start(self) -> float:
        """Seconds at which the file says that its first frame begins."""
        if self.stream.start_time is None or self.stream.time_base is None:
            return 0.0
        return float(self.stream.start_time * self.stream.time_base)

    def stated_span(self) -> Span | None:
        """Return what the file says of its length; None where it says nothing."""
        if self.stream.duration and self.stream.time_base:
            end = self.start + float(self.stream.duration * self.stream.time_base)
            return Span(self.start, end, self.rate)
        if self.container.duration:
            begins = (self.container.start_time or 0) / av.time_base
            return Span(self.start, begins + self.container.duration / av.time_base, self.rate)
        return None

    def measured_span(self) -> Span:
        """Measure the length from the first key frame on, by reading the whole file without decoding it.

        Raises:
            VideoFileError: there is no frame to begin with.
        """
        start, end, count, begun = 0.0, 0.0, 0, False
        with suppress(av.FFmpegError):  # a file that was cut off ends here
            for packet in self.container.demux(self.stream):
                begun = begun or packet.is_keyframe
                if packet.size == 0 or packet.is_discard or not begun:
                    continue
                stamp = packet.dts if packet.pts is None else packet.pts
                begins = count / self.rate if stamp is None else float(stamp * packet.time_base)
                start = min(start, begins) if count else begins
                lasts = float(packet.duration * packet.time_base) if packet.duration else 1 / self.rate
                end = max(end, begins + lasts)
                count += 1
        if count == 0:
            raise VideoFileError("holds no frames: it is damaged or was cut off")
        return Span(start, end, count / (end - start))

    def frames(self) -> Iterator[ShownFrame]:
        """Decode from here on; a file that was cut off, or is damaged from some place on, ends there."""
        following = self.start
        with suppress(av.FFmpegError):
            for frame in self.container.decode(self.stream):
                if frame.pts is None or frame.time_base is None:
                    begins, lasts = following, 1 / self.rate
                else:
                    begins = float(frame.pts * frame.time_base)
                    lasts = float(frame.duration * frame.time_base) if frame.duration else 1 / self.rate
                following = begins + lasts
                if not frame.is_corrupt:
                    yield ShownFrame(begins, following, frame)

    def frames_from(self, moment: float) -> Iterator[ShownFrame]:
        """Seek, and decode from a frame on that begins no later than the moment, if there is one."""
        for earlier in EARLIER_S:
            frames = self._frames_after_seek(max(self.start, moment - earlier))
            first = next(frames, None)
            if first is not None and first.begins <= moment:
                return chain((first,), frames)
        return self._frames_after_seek(self.start)

    def _frames_after_seek(self, moment: float) -> Iterator[ShownFrame]:
        base = self.stream.time_base
        with suppress(av.FFmpegError):  # a kind of file without an index is read on from where it stands
            if base is None:
                self.container.seek(int(moment * av.time_base))
            else:
                self.container.seek(int(moment / base), stream=self.stream)
        return self.frames()


@contextmanager
def open_video(path: Path) -> Iterator[VideoSource]:
    """Open a video file.

    Raises:
        VideoFileError: there is no such file, it is empty or of no known kind, or has no picture.
    """
    if not path.exists():
        raise VideoFileError("does not exist")
    if not path.is_file():
        raise VideoFileError("is not a file")
    if path.stat().st_size == 0:
        raise VideoFileError("is empty")
    if _is_animated_webp(path):  # of which FFmpeg decodes nothing, or one frame
        raise VideoFileError("is an animated WebP, which is not read here; convert it to MP4 or GIF")
    # Titles in other encodings than UTF-8 are of no interest here.
    with av.open(path.absolute(), metadata_errors="replace") as container:
        moving = [
            stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
        ]
        if not moving:
            raise VideoFileError("has sound alone, no video")
        default = [stream for stream in moving if stream.disposition & Disposition.default]
        stream = (default or moving)[0]
        rates = (stream.average_rate, stream.guessed_rate)
        if (
            container.format.flags & NO_TIMES
        ):  # there is nothing to average, only the rate that the coder wrote
            rates = rates[::-1]
        yield VideoSource(container, stream, float(rates[0] or rates[1] or DEFAULT_RATE))


def _is_animated_webp(path: Path) -> bool:
    """Read the flag of animations in the header of an extended WebP."""
    with path.open("rb") as file:
        head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:] and head[20] & 2)
