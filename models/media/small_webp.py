"""A clip as an animated picture of few bytes, to be looked at while it is being made."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

LONGEST_SIDE = 128


@dataclass(frozen=True)
class Economy:
    """A way to save bytes: WebP's quality (0 to 100), every how-manieth frame, and a divisor of height and width."""

    quality: int
    every: int
    divisor: int


ECONOMIES = (Economy(80, 1, 1), Economy(30, 1, 1), Economy(30, 2, 1), Economy(20, 4, 2))
"""From the best to the smallest. Noise, with which every clip begins, takes most bytes."""


def encode_small_webp(frames: Tensor, fps: int, max_bytes: int) -> bytes | None:
    """Encode frames as animated WebP that loops, in the best quality that fits.

    Args:
        frames: uint8 (frames, height, width, 3); larger ones are shrunk to LONGEST_SIDE.
    Returns:
        At most `max_bytes`; None where even the smallest is larger.
    """
    images = [Image.fromarray(frame) for frame in frames.cpu().numpy()]
    longest = max(images[0].size)
    for economy in ECONOMIES:
        scale = min(1.0, LONGEST_SIDE / longest) / economy.divisor
        content = _encode(images[:: economy.every], fps / economy.every, economy.quality, scale)
        if len(content) <= max_bytes:
            return content
    return None


def _encode(images: list[Image.Image], fps: float, quality: int, scale: float) -> bytes:
    if scale != 1:
        size = tuple(max(1, round(side * scale)) for side in images[0].size)
        images = [image.resize((size[0], size[1]), Image.Resampling.BOX) for image in images]
    buffer = io.BytesIO()
    images[0].save(
        *(buffer, "WEBP"),
        save_all=True,
        append_images=images[1:],
        loop=0,
        duration=round(1000 / fps),
        quality=quality,
        method=0,
    )
    return buffer.getvalue()
