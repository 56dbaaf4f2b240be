"""Video files that every browser plays."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import torch
from PIL import Image
from torch import Tensor

from cascade.models.media.video import encode_mp4, encode_webp


def greys() -> Tensor:
    """29 frames of 64x40, each of one grey that grows by 8."""
    return (torch.arange(29) * 8).to(torch.uint8).view(29, 1, 1, 1).expand(29, 40, 64, 3)


def test_an_mp4_plays_everywhere_and_starts_at_once() -> None:
    content = encode_mp4(greys(), 8)
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, len(decoded)) == (64, 40, Fraction(8), 29)
    for index, frame in enumerate(decoded):
        assert abs(int(frame.mean()) - index * 8) <= 3
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_frames_give_the_same_bytes() -> None:
    assert encode_mp4(greys(), 8) == encode_mp4(greys(), 8)


def test_a_webp_moves_and_loops() -> None:
    image = Image.open(io.BytesIO(encode_webp(greys(), 8)))
    assert (image.format, image.size, image.n_frames) == ("WEBP", (64, 40), 29)  # type: ignore[attr-defined]
    image.load()
    assert (image.info["loop"], image.info["duration"]) == (0, 125)


def test_a_webp_of_one_frame_is_a_still_picture() -> None:
    image = Image.open(io.BytesIO(encode_webp(greys()[:1], 8)))
    assert (image.size, getattr(image, "n_frames", 1)) == ((64, 40), 1)
