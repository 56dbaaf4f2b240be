"""Drawing scenes of moving shapes, anti-aliased, at any size and with any number of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cascade.models.families.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    DIRECTIONS,
    GROWTH,
    MARGIN,
    SHAPES,
    SIZES,
    Colour,
    Scene,
    room,
)

Array = NDArray[Any]


def render(scene: Scene, frames: int, height: int, width: int) -> Tensor:
    """Draw a scene, anti-aliased.

    The frames are spread evenly over the clip, first and last included: frame `i` of 8 is equal, bit for bit, to
    frame `4 i` of 29 (8 keyframes at 2 fps, 29 frames at 8 fps).

    Returns:
        float32 (frames, 3, height, width) in [-1, 1].
    """
    picture = np.empty((frames, 3, height, width), np.float32)
    picture[:] = _unit_range(BACKGROUNDS[scene.background])[:, None, None]
    for _, colour, covered in _covers(scene, frames, height, width):
        for channel, value in enumerate(_unit_range(COLOURS[colour])):
            picture[:, channel] += covered * (value - picture[:, channel])
    return torch.from_numpy(picture)


def shape_maps(scene: Scene, frames: int, height: int, width: int) -> Tensor:
    """Map each shape in the frames that `render` draws.

    Returns:
        float32 (frames, len(SHAPES), height, width) in [0, 1]: how much of a pixel a shape covers.
    """
    maps = np.zeros((frames, len(SHAPES), height, width), np.float32)
    for shape, _, covered in _covers(scene, frames, height, width):
        maps[:, SHAPES.index(shape)] += covered
    return torch.from_numpy(maps)


def coverage(shape: str, x: Array, y: Array, radius: Array, height: int, width: int) -> Array:
    """Compute how much of each pixel a shape covers.

    Args:
        x, y, radius: (frames,), in pixels from the upper left corner of the picture.
    Returns:
        float32 (frames, height, width) in [0, 1].
    """
    across = np.arange(width, dtype=np.float32) + 0.5 - x.astype(np.float32)[:, None]
    down = np.arange(height, dtype=np.float32) + 0.5 - y.astype(np.float32)[:, None]
    distance = _distance(
        shape, across[:, None, :], down[:, :, None], radius.astype(np.float32)[:, None, None]
    )
    covered: Array = np.clip(0.5 - distance, 0, 1)
    return covered


def _covers(scene: Scene, frames: int, height: int, width: int) -> Iterator[tuple[str, str, Array]]:
    """Yield each shape and its colour, with how much of each pixel it covers: (frames, height, width) in [0, 1]."""
    times = np.arange(frames) / max(frames - 1, 1)
    size = SIZES[scene.size]
    first, last = GROWTH.get(scene.motion, (1.0, 1.0))
    step_x, step_y = DIRECTIONS.get(scene.motion, (0, 0))
    x = scene.x + step_x * scene.travel * times
    y = scene.y + step_y * scene.travel * times
    radius = size * (first + (last - first) * times)
    room_for = size * max(first, last)
    yield scene.shape, scene.colour, _covered(scene.shape, x, y, radius, room_for, height, width)
    if scene.second:
        still = np.zeros(frames)
        x, y = scene.second.x + still, scene.second.y + still
        covered = _covered(scene.second.shape, x, y, size + still, size, height, width)
        yield scene.second.shape, scene.second.colour, covered


def _covered(
    shape: str, x: Array, y: Array, radius: Array, room_for: float, height: int, width: int
) -> Array:
    """`coverage` of a shape whose place and size are given as in `Scene` and `SIZES`."""
    unit = min(height, width)
    left_x = (room_for + MARGIN + x * room(width / unit, room_for)) * unit
    top_y = (room_for + MARGIN + y * room(height / unit, room_for)) * unit
    return coverage(shape, left_x, top_y, radius * unit, height, width)


def _distance(shape: str, x: Array, y: Array, radius: Array) -> Array:
    """Compute the distance of points to the edge of a shape around (0, 0), negative inside."""
    distance: Array
    match shape:
        case "circle":
            distance = np.sqrt(x * x + y * y) - radius
        case "square":
            distance = np.maximum(np.abs(x), np.abs(y)) - np.float32(0.88) * radius
        case "triangle":
            # Sides from the tip (0, -radius) to (+-radius, radius): 2 |x| - y = radius, whose normal is sqrt(5) long.
            side = (2 * np.abs(x) - y - radius) / np.float32(5**0.5)
            distance = np.maximum(side, y - radius)
        case "cross":
            x, y, arm = np.abs(x), np.abs(y), np.float32(0.36) * radius
            distance = np.minimum(np.maximum(x - radius, y - arm), np.maximum(x - arm, y - radius))
        case _:
            raise ValueError(f'there is no shape "{shape}"; choose one of {", ".join(SHAPES)}')
    return distance


def _unit_range(colour: Colour) -> Array:
    scaled: Array = np.array(colour, np.float32) / np.float32(127.5) - 1
    return scaled
