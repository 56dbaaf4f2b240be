"""Video files as cameras, editors, screen recorders and archives write them, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

Picture = npt.NDArray[np.uint8]

UPRIGHT = (1, 0, 0, 1)
MATRICES = {
    "upright": UPRIGHT,
    "a quarter clockwise": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "a quarter anticlockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
}
"""Of display matrices, the numbers a, b, c, d."""


def grays(count: int, height: int = 48, width: int = 64, step: int = 8) -> list[Picture]:
    """Frame k is gray of brightness `step` k."""
    return [np.full((height, width, 3), k * step, np.uint8) for k in range(count)]


def record(
    path: Path,
    pictures: Sequence[Picture],
    *,
    rate: int = 8,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    clock: int = 1000,
    matrix: int = 2,
    full: bool | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    title: str | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode pictures (height, width, 3 or 4).

    Args:
        times: of the frames, in ticks of which a second has `clock`; else `rate` frames a second.
        matrix: of H.273; 2 names none, and is what players take then: BT.601 for small pictures, BT.709 for large ones.
        full: the range; None names none, and is limited.
    """
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        if title is not None:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 0 if full is None else 1 + full
        if times is not None:
            stream.codec_context.time_base = Fraction(1, clock)
        unnamed = 5 if stream.height <= 576 else 1
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.shape[2] == 3 else "rgba")
            frame = frame.reformat(
                format=pix_fmt,
                dst_colorspace=unnamed if matrix == 2 else matrix,
                dst_color_range=2 if full else 1,
            )
            frame.colorspace, frame.color_range = matrix, 0 if full is None else 1 + full
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into an MP4, as a camera does that was held so."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 4 + 20 + 16  # version 0: flags, five numbers, layer and volume
    a, b, c, d = (number << 16 for number in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def begin_later(path: Path, ticks: int) -> Path:
    """Let the edit list of an MP4 begin so much later, in ticks of its video, as an editor's trim does."""
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 4 + 4 + 4 + 4  # flags, one entry, its duration
    (begin,) = struct.unpack_from(">i", content, place)
    struct.pack_into(">i", content, place, begin + ticks)
    path.write_bytes(content)
    return path


def record_sound(path: Path) -> Path:
    """Encode a second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_from(path: Path, target: Path, first_packet: int) -> Path:
    """Copy a recording from a packet on, whether or not it is a key frame, as a recorder that is tuned in does."""
    with av.open(path) as source, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if number >= first_packet and packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return target
