"""The analyser: detects what a clip of moving shapes shows, its colours, shapes, background, motion and relation.

Classical image analysis, for rendered clips and for what networks make of captions: blur and mild noise are forgiven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cascade.models.families.shapes.drawing import coverage
from cascade.models.families.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    DIRECTIONS,
    RELATIONS,
    SHAPES,
    STILL,
    Colour,
    Scene,
)

Array = NDArray[Any]

WIDTH = 64
"""Wider clips are reduced to this width."""
FRAMES = 8
"""Longer clips are sampled at this many frames, first and last included."""

VISIBLE = 0.35
"""Distance from the background, in [-1, 1] RGB, from where a pixel may belong to a shape."""
SMALLEST_AREA = 0.008
"""Part of the picture below which a spot is no shape."""
SHORTEST_TRAVEL = 0.15
"""Part of the height below which a shape stands still."""
LEAST_GROWTH = 1.6
"""Ratio of last to first area from where a shape grows."""

BLURS = (1, 2)
"""Blurs, in pixels to all sides, that a shape is recognised under: a blurred square is nearer to a sharp circle otherwise."""

AREAS = {"circle": np.pi, "square": 1.76**2, "triangle": 2.0, "cross": 4 * 0.72 - 0.72**2}
"""Area of a shape of radius 1."""
CENTROIDS = {"circle": 0.0, "square": 0.0, "triangle": 1 / 3, "cross": 0.0}
"""Distance of the centroid of a shape of radius 1 below its centre."""


@dataclass(frozen=True)
class DetectedObject:
    """A shape in a clip.

    Attributes:
        shape, colour: one of SHAPES and of COLOURS.
        x, y: place of the centroid in each frame (frames,), in pixels.
        area: part of the picture in each frame (frames,), 0 to 1.
        radius: in each frame (frames,), as a part of the picture's shorter side, as `SIZES` are.
    """

    shape: str
    colour: str
    x: Array
    y: Array
    area: Array
    radius: Array


@dataclass(frozen=True)
class Detection:
    """The contents of a clip; `motion` is that of the one object, None where there is not just one."""

    background: str
    objects: tuple[DetectedObject, ...]
    motion: str | None


def analyse(frames: Tensor) -> Detection:
    """Detect what a clip (frames, 3, height, width) in [-1, 1], at least 32 pixels wide, shows."""
    video = _reduce(frames)
    border = np.concatenate([video[:, :, 0], video[:, :, -1], video[:, :, :, 0], video[:, :, :, -1]], axis=2)
    background = np.median(border, axis=(0, 2))
    difference = np.linalg.norm(video - background[None, :, None, None], axis=1)
    objects = tuple(_detect(video, background, spots) for spots in _spots(difference))
    height = video.shape[2]
    motion = _motion(objects[0], height) if len(objects) == 1 else None
    return Detection(_nearest(background, BACKGROUNDS), objects, motion)


def agreement(detection: Detection, scene: Scene) -> dict[str, bool]:
    """Return which attributes of a scene were detected; `relation` where the scene has one, and `all_correct`."""
    expected = {scene.colour: scene.shape}
    if scene.second:
        expected[scene.second.colour] = scene.second.shape
    by_colour = {item.colour: item for item in detection.objects}
    as_many = len(detection.objects) == len(expected)
    result = {
        "colour": as_many and by_colour.keys() == expected.keys(),
        "shape": as_many
        and sorted(item.shape for item in detection.objects) == sorted(expected.values())
        and all(
            by_colour[colour].shape == shape for colour, shape in expected.items() if colour in by_colour
        ),
        "background": detection.background == scene.background,
    }
    if scene.second:
        result["relation"] = result["colour"] and scene.second.relation == relation_of(
            by_colour[scene.colour], by_colour[scene.second.colour]
        )
    else:
        result["motion"] = detection.motion == scene.motion
    return result | {"all_correct": all(result.values())}


def relation_of(first: DetectedObject, second: DetectedObject) -> str:
    """Return where the first is, seen from the second: one of RELATIONS."""
    across = float(np.mean(first.x - second.x))
    down = float(np.mean(first.y - second.y))
    above, below, left, right = RELATIONS
    if abs(across) > abs(down):
        return right if across > 0 else left
    return below if down > 0 else above


def _reduce(frames: Tensor) -> Array:
    """Reduce (frames, 3, height, width) to at most FRAMES frames of at most WIDTH pixels, float64."""
    count = frames.shape[0]
    sampled = np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int)
    frames = frames[sampled].float()
    if frames.shape[-1] > WIDTH:
        size = (frames.shape[-2] * WIDTH // frames.shape[-1], WIDTH)
        frames = functional.interpolate(frames, size=size, mode="area")
    reduced: Array = frames.double().numpy()
    return reduced


def _spots(difference: Array) -> list[Array]:
    """Find the objects, largest first, as masks (frames, height, width); as many as most frames show."""
    strong = max(VISIBLE, 0.45 * float(np.quantile(difference, 0.995)))
    smallest = SMALLEST_AREA * difference[0].size
    by_frame = [
        sorted(
            (part for part in _components(frame > strong) if part.sum() >= smallest),
            key=lambda part: -part.sum(),
        )
        for frame in difference
    ]
    counts = [len(parts) for parts in by_frame]
    count = max(set(counts), key=counts.count)
    if count == 0:
        return []
    first = next(parts for parts in by_frame if len(parts) >= count)[:count]
    centres = [_centroid(part) for part in first]
    followed: list[list[Array]] = [[] for _ in centres]
    for parts in by_frame:
        for index, centre in enumerate(centres):
            near = min(parts, key=lambda part: np.hypot(*(_centroid(part) - centre)), default=None)
            followed[index].append(np.zeros(difference.shape[1:], bool) if near is None else near)
            if near is not None:
                centres[index] = _centroid(near)
    return [np.stack(masks) for masks in followed]


def _components(mask: Array) -> list[Array]:
    """Split a mask (height, width) into its connected parts."""
    left, parts = mask.copy(), []
    while left.any():
        part = np.zeros_like(mask)
        part[tuple(np.argwhere(left)[0])] = True
        while True:
            grown = part.copy()
            grown[1:] |= part[:-1]
            grown[:-1] |= part[1:]
            grown[:, 1:] |= part[:, :-1]
            grown[:, :-1] |= part[:, 1:]
            grown &= left
            if (grown == part).all():
                break
            part = grown
        parts.append(part)
        left &= ~part
    return parts


def _detect(video: Array, background: Array, masks: Array) -> DetectedObject:
    """Classify the object around masks (frames, height, width), with soft edges."""
    core = masks & (_neighbours(masks) >= 4)
    inside = core if core.any() else masks
    colour = np.median(video.transpose(0, 2, 3, 1)[inside], axis=0)
    direction = colour - background
    share = np.tensordot(video - background[None, :, None, None], direction, axes=([1], [0])) / (
        direction @ direction
    )
    around = _neighbours(masks) + masks > 0
    soft = np.clip(share, 0, 1) * around
    rows, columns = np.indices(soft.shape[1:])
    area = np.maximum(soft.sum(axis=(1, 2)), 1e-9)
    x = (soft * columns).sum(axis=(1, 2)) / area + 0.5
    y = (soft * rows).sum(axis=(1, 2)) / area + 0.5
    shape = _shape(soft, around, x, y, area)
    radius = np.sqrt(area / AREAS[shape]) / min(soft.shape[1:])
    return DetectedObject(shape, _nearest(colour, COLOURS), x, y, area / soft[0].size, radius)


def _neighbours(masks: Array) -> Array:
    """Count how many of the four neighbours of each pixel (frames, height, width) are set."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1))).astype(int)
    count: Array = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return count


def _shape(soft: Array, around: Array, x: Array, y: Array, area: Array) -> str:
    """Return the shape that, drawn as large and at the same place, sharp or blurred, overlaps best over all frames.

    Coverage `soft` is known only `around` the object, a mask: both are (frames, height, width).
    """
    height, width = soft.shape[1:]

    def overlap(shape: str) -> float:
        radius = np.sqrt(area / AREAS[shape])
        drawn = coverage(shape, x, y - CENTROIDS[shape] * radius, radius, height, width)
        return max(
            float(np.minimum(picture, soft).sum() / np.maximum(picture, soft).sum())
            for picture in (drawn * around, *(_blur(drawn, reach) * around for reach in BLURS))
        )

    return max(SHAPES, key=overlap)


def _blur(pictures: Array, reach: int) -> Array:
    """Take the mean over squares that reach so many pixels to all sides, of pictures (frames, height, width)."""
    for axis in (1, 2):
        pictures = np.mean([np.roll(pictures, step, axis) for step in range(-reach, reach + 1)], axis=0)
    return pictures


def _motion(item: DetectedObject, height: int) -> str:
    """Classify the motion by straight lines through the places, and through the sizes, of all frames."""
    times = np.linspace(-0.5, 0.5, len(item.x))
    travel = {axis: np.polyfit(times, getattr(item, axis), 1)[0] / height for axis in ("x", "y")}
    growth = np.exp(np.polyfit(times, np.log(np.maximum(item.area, 1e-6)), 1)[0])
    if max(map(abs, travel.values())) > SHORTEST_TRAVEL:
        step = (np.sign(travel["x"]), 0) if abs(travel["x"]) > abs(travel["y"]) else (0, np.sign(travel["y"]))
        return next(name for name, direction in DIRECTIONS.items() if direction == step)
    if growth > LEAST_GROWTH:
        return "growing"
    return "shrinking" if growth < 1 / LEAST_GROWTH else STILL


def _centroid(mask: Array) -> Array:
    centroid: Array = np.argwhere(mask).mean(axis=0)
    return centroid


def _nearest(colour: Array, palette: Mapping[str, Colour]) -> str:
    """Return the name of the colour of a palette that is nearest to an RGB triple in [-1, 1]."""
    distances = {name: np.linalg.norm((colour + 1) * 127.5 - np.array(rgb)) for name, rgb in palette.items()}
    return min(distances, key=distances.__getitem__)
