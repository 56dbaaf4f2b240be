"""Video files: clips as H.264 MP4 that every browser plays, as VP9 WebM, and as animated pictures."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image
from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.media.file import VIDEO_ENDINGS
from cascade.models.media.pixel_format import convert
from cascade.models.output_files import write_whole


def encode_mp4(frames: Tensor, fps: int) -> bytes:
    """Encode frames as MP4 (H.264, yuv420p in BT.709, faststart); the same frames always give the same bytes.

    Args:
        frames: uint8 (frames, height, width, 3), height and width even.
        fps: frames per second.
    """
    return _encode(frames, fps, "mp4", "libx264", {"crf": "18"}, {"movflags": "faststart"})


def encode_webm(frames: Tensor, fps: int) -> bytes:
    """Encode uint8 frames (frames, height, width, 3), height and width even, as WebM (VP9, yuv420p in BT.709)."""
    quality = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"}
    return _encode(frames, fps, "webm", "libvpx-vp9", quality, {"fflags": "+bitexact"})


def encode_gif(frames: Tensor, fps: int) -> bytes:
    """Encode uint8 frames (frames, height, width, 3) as GIF that loops, a palette of 256 colours each."""
    # A GIF counts in hundredths of a second: rounded one by one, they would not add up to the clip's length.
    ends = [round(100 * number / fps) for number in range(len(frames) + 1)]
    durations = [10 * (end - start) for start, end in pairwise(ends)]
    return _encode_pictures(frames, "GIF", duration=durations, disposal=1, optimize=False)


def encode_webp(frames: Tensor, fps: int) -> bytes:
    """Encode uint8 frames (frames, height, width, 3) as WebP: animated and looping, or one still picture."""
    return _encode_pictures(frames, "WEBP", duration=round(1000 / fps), quality=80)


ENCODERS: Mapping[str, Callable[[Tensor, int], bytes]] = dict(
    zip(VIDEO_ENDINGS, (encode_mp4, encode_webm, encode_gif, encode_webp), strict=True)
)


def write_video(clip: Clip, path: Path) -> None:
    """Write the first video of a clip, in the format that the name's ending says.

    Raises:
        ValueError: it says none of `VIDEO_ENDINGS`.
        OutputError: the file cannot be written; what was there is left as it was.
    """
    encode = ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise ValueError(f'"{path.name}" does not end in {", ".join(VIDEO_ENDINGS)}')
    write_whole(path, encode(clip.to_uint8()[0], clip.fps))


def write_mp4(clip: Clip, path: Path) -> None:
    """Write the first video of a clip as MP4, whatever the name. Raises OutputError where it cannot be written."""
    write_whole(path, encode_mp4(clip.to_uint8()[0], clip.fps))


def _encode(
    frames: Tensor,
    fps: int,
    container_format: str,
    codec: str,
    options: dict[str, str],
    container_options: dict[str, str],
) -> bytes:
    """Encode uint8 frames (frames, height, width, 3)."""
    # A file, and not bytes in memory: faststart rewrites what it wrote.
    with tempfile.NamedTemporaryFile(suffix=f".{container_format}") as file:
        with av.open(file.name, "w", format=container_format, options=container_options) as container:
            stream = container.add_stream(codec, rate=fps)
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            stream.options = {**options}
            _name_colours(stream)
            for picture in frames.cpu().numpy():
                container.mux(stream.encode(_frame(np.ascontiguousarray(picture))))
            container.mux(stream.encode())
        return Path(file.name).read_bytes()


def _name_colours(stream: VideoStream) -> None:
    """Say which matrix and range the stream has: players guess where a file does not, each in its own way."""
    context = stream.codec_context
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709


def _frame(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> av.VideoFrame:
    """Convert (height, width, 3) to yuv420p by BT.709, in limited range."""
    source = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame = convert(source, "yuv420p", Colorspace.ITU709, Colorspace.ITU709, ColorRange.JPEG, ColorRange.MPEG)
    frame.color_trc, frame.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
    return frame


def _encode_pictures(frames: Tensor, picture_format: str, **options: object) -> bytes:
    """Encode uint8 frames (frames, height, width, 3) as an animated picture that loops, or one still picture."""
    images = [Image.fromarray(frame) for frame in frames.cpu().numpy()]
    buffer = io.BytesIO()
    images[0].save(buffer, picture_format, save_all=True, append_images=images[1:], loop=0, **options)
    return buffer.getvalue()
