"""Text cleaning, video files and contact sheets."""

from __future__ import annotations

import io

import av
import pytest
import torch
from diffusers import IFPipeline
from PIL import Image

from cascade.models.clip import Clip
from cascade.models.media.contact_sheet import encode_contact_sheet
from cascade.models.media.video import encode_mp4
from cascade.models.text.caption_cleaning import clean_caption


@pytest.fixture
def frames() -> torch.Tensor:
    """29 frames of 64x40, each of one grey that grows by 8."""
    return (torch.arange(29) * 8).to(torch.uint8).view(29, 1, 1, 1).expand(29, 40, 64, 3)


def test_an_mp4_plays_everywhere_and_starts_at_once(frames: torch.Tensor) -> None:
    content = encode_mp4(frames, 8)
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, len(decoded)) == (64, 40, 8, 29)
    for index, frame in enumerate(decoded):
        assert abs(int(frame.mean()) - index * 8) <= 3
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_frames_give_the_same_bytes(frames: torch.Tensor) -> None:
    assert encode_mp4(frames, 8) == encode_mp4(frames, 8)


def test_a_contact_sheet_shows_every_frame_enlarged(frames: torch.Tensor) -> None:
    sheet = Image.open(io.BytesIO(encode_contact_sheet(frames)))
    # 8 columns of 128 + 4 pixels, 4 rows of 80 + 12 + 4, and a margin of 4.
    assert sheet.size == (8 * 132 + 4, 4 * 96 + 4)
    for index in (0, 9, 28):
        left, top = 4 + index % 8 * 132, 4 + index // 8 * 96 + 12
        assert sheet.getpixel((left + 64, top + 40)) == (index * 8,) * 3


def test_pixel_values_become_8_bits_clamped() -> None:
    clip = Clip(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).view(1, 5, 1, 1, 1), 8)
    assert clip.to_uint8().flatten().tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "caption",
    [
        "A panda besides the waterfall is holding a sign that says “Show 1”.",
        "<person> at https://example.com/cat.png – free download!! #12345 @name",
        "snake_case_words_all-the-way, 1024x768 photo 12 <b>bold</b> &amp;quot; IMG123456.jpg",
        "  Toad   practicing  karate...   'quoted'  ",
        "12:45 page 3 worldwide free shipping click for details 127.0.0.1 ABC123 a1b2",
    ],
)
def test_captions_are_cleaned_as_the_published_pipeline_does(caption: str) -> None:
    reference = IFPipeline.__new__(IFPipeline)
    assert clean_caption(caption) == reference._clean_caption(caption)
