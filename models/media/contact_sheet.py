"""A clip at a glance: its frames side by side in one picture."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw
from torch import Tensor

COLUMNS = 8
MARGIN = 4
LABEL_HEIGHT = 12
SMALLEST_WIDTH = 128


def contact_sheet(frames: Tensor) -> Image.Image:
    """Frames in rows of eight, each with its number; small ones are enlarged without smoothing.

    Args:
        frames: uint8 (frames, height, width, 3).
    """
    num_frames, height, width = frames.shape[:3]
    scale = max(1, SMALLEST_WIDTH // width)
    tile_width, tile_height = width * scale, height * scale
    columns = min(COLUMNS, num_frames)
    rows = math.ceil(num_frames / columns)
    step_x, step_y = tile_width + MARGIN, tile_height + LABEL_HEIGHT + MARGIN
    sheet = Image.new("RGB", (columns * step_x + MARGIN, rows * step_y + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, frame in enumerate(frames.cpu().numpy()):
        left, top = MARGIN + index % columns * step_x, MARGIN + index // columns * step_y
        tile = Image.fromarray(frame).resize((tile_width, tile_height), Image.Resampling.NEAREST)
        sheet.paste(tile, (left, top + LABEL_HEIGHT))
        draw.text((left, top), str(index), fill="black")
    return sheet


def encode_contact_sheet(frames: Tensor) -> bytes:
    """Draw the contact sheet of frames (frames, height, width, 3) as PNG bytes."""
    buffer = io.BytesIO()
    contact_sheet(frames).save(buffer, "PNG")
    return buffer.getvalue()
