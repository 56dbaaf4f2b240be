"""A decoded frame as a player shows it: its colours, upright, with square pixels."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from PIL import Image

from cascade.models.errors import VideoFileError
from cascade.models.media.pixel_format import convert

RGB, UNSPECIFIED = 0, 2
"""Matrices of H.273, table 4, that PyAV has no names for."""
LARGEST_SD = (1024, 576)
"""Width and height up to which a file that does not name its matrix is taken for BT.601, as players do; else BT.709."""
HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}


def fitted(
    frame: av.VideoFrame, pixel_aspect: Fraction, height: int, width: int, *, cropped: bool
) -> npt.NDArray[np.uint8]:
    """Return a frame as it is shown, resized with antialiasing.

    Args:
        pixel_aspect: width of a pixel over its height, before the picture is turned upright.
        cropped: cut the picture at the centre to the aspect, then resize it; else resize the whole picture, whatever its
            aspect.
    Returns:
        (height, width, 3), sRGB.
    Raises:
        VideoFileError: the frame is HDR.
    """
    pixels = _rgb(frame)
    aspect = float(pixel_aspect)
    if frame.interlaced_frame and pixels.shape[0] > 1:  # one field alone: the other one is of another time
        pixels, aspect = pixels[::2], aspect * pixels[::2].shape[0] / pixels.shape[0]
    turns, mirrored = _orientation(frame)
    if mirrored:
        pixels = pixels[:, ::-1]
    if turns % 2:
        aspect = 1 / aspect
    image = Image.fromarray(np.ascontiguousarray(np.rot90(pixels, turns)))
    box = _centre(image.width, image.height, width / height / aspect) if cropped else None
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box))


def _centre(width: int, height: int, aspect: float) -> tuple[float, float, float, float]:
    """Return the largest box (left, top, right, bottom) of an aspect at the centre of a picture, all in its pixels."""
    scale = min(width / aspect, height)
    left, top = (width - scale * aspect) / 2, (height - scale) / 2
    return max(left, 0.0), max(top, 0.0), min(left + scale * aspect, width), min(top + scale, height)


def _rgb(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """Convert to sRGB (height, width, 3), by the matrix and the range of the frame; what is transparent lies on black."""
    if frame.color_trc in HDR:
        raise VideoFileError(
            f"is HDR ({HDR[ColorTrc(frame.color_trc)]}), whose colours are not converted here; convert it to SDR"
        )
    transparent = any(component.is_alpha for component in frame.format.components)
    target = "rgba" if transparent or frame.format.has_palette else "rgb24"
    converted = convert(
        frame, target, _matrix(frame), Colorspace.ITU709, frame.color_range, ColorRange.JPEG
    ).to_ndarray()
    pixels: npt.NDArray[np.uint8] = converted.astype(np.uint8, copy=False)
    if (
        frame.format.name.startswith("gray") and frame.color_range == ColorRange.MPEG
    ):  # swscale takes all grays for full
        pixels = ((pixels.clip(16, 235).astype(np.uint16) - 16) * 255 // 219).astype(np.uint8)
    if pixels.shape[-1] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        pixels = ((pixels[..., :3] * alpha + 127) // 255).astype(np.uint8)
    return pixels


def _matrix(frame: av.VideoFrame) -> int:
    """Return the matrix from YUV to RGB that the frame names, or that players take where it names none."""
    if frame.colorspace not in (RGB, UNSPECIFIED):
        return frame.colorspace
    small = frame.width <= LARGEST_SD[0] and frame.height <= LARGEST_SD[1]
    return Colorspace.ITU601 if small else Colorspace.ITU709


def _orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """Return how the stored picture is turned upright: mirrored left to right first or not, then quarters anticlockwise.

    The display matrix maps the point (x, y) of the picture, y downwards, to (a x + c y, b x + d y). It is rounded to
    quarters.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return 0, False
    a, b, _, c, d = struct.unpack_from("<5i", bytes(side_data))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    angle = np.degrees(np.arctan2(-b, a))
    return round(angle / 90) % 4, mirrored
