"""Small animated pictures, as browsers decode them."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image, ImageSequence

from cascade.models.media.small_webp import encode_small_webp


def picture(content: bytes | None) -> Image.Image:
    assert content is not None
    image = Image.open(io.BytesIO(content))
    assert image.format == "WEBP"
    return image


def test_a_smooth_clip_keeps_its_frames_its_size_and_its_speed() -> None:
    frames = torch.linspace(0, 255, 8 * 20).to(torch.uint8).view(8, 20, 1, 1).expand(8, 20, 32, 3)
    image = picture(encode_small_webp(frames, 2, 15_000))
    assert (len(ImageSequence.all_frames(image)), image.size) == (8, (32, 20))
    image.seek(1)
    image.load()
    assert image.info["duration"] == 500
    shown = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8).view(20, 32, 3)
    assert (shown.int() - frames[1].int()).abs().max() < 12


@pytest.mark.parametrize(("height", "width"), [(40, 64), (320, 576), (64, 64)])
def test_noise_with_which_every_clip_begins_fits(height: int, width: int) -> None:
    noise = torch.randint(
        0, 256, (16, height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(7)
    )
    content = encode_small_webp(noise, 8, 15_000)
    image = picture(content)
    assert content is not None and len(content) <= 15_000
    assert len(ImageSequence.all_frames(image)) >= 4 and max(image.size) <= 128


def test_where_nothing_fits_there_is_no_picture() -> None:
    assert encode_small_webp(torch.zeros(8, 20, 32, 3, dtype=torch.uint8), 2, 10) is None
