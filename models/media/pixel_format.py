"""Conversion of a frame to another pixel format, as exact as swscale does it."""

from __future__ import annotations

import av

EXACT = 0x4 | 0x2000 | 0x40000
"""Flags of swscale: bicubic, chroma in full resolution, and accurate rounding."""


def convert(
    frame: av.VideoFrame,
    pixel_format: str,
    matrix: int,
    target_matrix: int,
    color_range: int,
    target_range: int,
) -> av.VideoFrame:
    """Convert a frame.

    Args:
        pixel_format: such as `yuv420p`.
        matrix, target_matrix: of the frame and of the result, where they are YUV; numbers of H.273, table 4.
        color_range, target_range: 0 is unknown, 1 limited, 2 full.
    """
    return frame.reformat(
        *(None, None, pixel_format, matrix, target_matrix, EXACT, color_range, target_range)
    )
