"""A clip at a glance."""

from __future__ import annotations

import io

import torch
from PIL import Image

from cascade.models.media.contact_sheet import encode_contact_sheet


def test_a_contact_sheet_shows_every_frame_enlarged() -> None:
    frames = (torch.arange(29) * 8).to(torch.uint8).view(29, 1, 1, 1).expand(29, 40, 64, 3)
    sheet = Image.open(io.BytesIO(encode_contact_sheet(frames)))
    # 8 columns of 128 + 4 pixels, 4 rows of 80 + 12 + 4, and a margin of 4.
    assert sheet.size == (8 * 132 + 4, 4 * 96 + 4)
    for index in (0, 9, 28):
        left, top = 4 + index % 8 * 132, 4 + index // 8 * 96 + 12
        assert sheet.getpixel((left + 64, top + 40)) == (index * 8,) * 3
