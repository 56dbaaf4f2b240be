"""Video files: clips as H.264 MP4 that every browser plays."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image
from torch import Tensor

from cascade.models.clip import Clip


def encode_mp4(frames: Tensor, fps: int) -> bytes:
    """Encode frames as MP4 (H.264, yuv420p, faststart); the same frames always give the same bytes.

    Args:
        frames: uint8 (frames, height, width, 3), height and width even.
        fps: frames per second.
    """
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:  # faststart rewrites the file it wrote
        _encode(Path(file.name), frames, fps)
        return Path(file.name).read_bytes()


def encode_webp(frames: Tensor, fps: int) -> bytes:
    """Encode uint8 frames (frames, height, width, 3) as WebP: animated and looping, or one still picture."""
    images = [Image.fromarray(frame) for frame in frames.cpu().numpy()]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
        quality=80,
    )
    return buffer.getvalue()


def write_mp4(clip: Clip, path: Path) -> None:
    """Write the first video of a clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_mp4(clip.to_uint8()[0], clip.fps))


def _encode(path: Path, frames: Tensor, fps: int) -> None:
    """Write uint8 frames (frames, height, width, 3) as MP4."""
    with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "18"}
        for frame in frames.cpu().numpy():
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode())
