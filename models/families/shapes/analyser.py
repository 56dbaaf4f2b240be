"""Reads off a clip of moving shapes what it shows: colours, shapes, background, motion and relation.

Classical image analysis, for rendered clips and for what networks make of captions: blur and mild noise are forgiven.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional

from cascade.models.families.shapes.moving_shapes import (
    BACKGROUNDS,
    COLOURS,
    DIRECTIONS,
    RELATIONS,
    SHAPES,
    STILL,
    Scene,
    coverage,
)

WIDTH = 64
"""Larger clips are looked at in this width."""
FRAMES = 8
"""Longer clips are looked at in so many frames, first and last included."""

VISIBLE = 0.35
"""Distance from the background, in [-1, 1] RGB, from where a pixel may belong to a shape."""
SMALLEST_AREA = 0.008
"""Part of the picture below which a spot is no shape."""
SHORTEST_TRAVEL = 0.15
"""Part of the height below which a shape stands still."""
LEAST_GROWTH = 1.6
"""Ratio of last to first area from where a shape grows."""

AREAS = {"circle": np.pi, "square": 1.76**2, "triangle": 2.0, "cross": 4 * 0.72 - 0.72**2}
"""Area of a shape of radius 1."""
CENTROIDS = {"circle": 0.0, "square": 0.0, "triangle": 1 / 3, "cross": 0.0}
"""How far the centroid of a shape of radius 1 is below its centre."""


@dataclass(frozen=True)
class Thing:
    """A shape that was found; place (in pixels) and area (of the picture) over the frames."""

    shape: str
    colour: str
    x: np.ndarray
    y: np.ndarray
    area: np.ndarray


@dataclass(frozen=True)
class Reading:
    """What a clip shows; `motion` is of the first thing, None where there is no one thing."""

    background: str
    things: tuple[Thing, ...]
    motion: str | None


def analyse(frames: Tensor) -> Reading:
    """Read a clip (frames, 3, height, width) in [-1, 1], at least 32 pixels wide."""
    video = _reduced(frames)
    border = np.concatenate([video[:, :, 0], video[:, :, -1], video[:, :, :, 0], video[:, :, :, -1]], axis=2)
    background = np.median(border, axis=(0, 2))
    difference = np.linalg.norm(video - background[None, :, None, None], axis=1)
    things = tuple(_thing(video, background, spots) for spots in _spots(difference))
    height = video.shape[2]
    motion = _motion(things[0], height) if len(things) == 1 else None
    return Reading(_nearest(background, BACKGROUNDS), things, motion)


def agrees(reading: Reading, scene: Scene) -> dict[str, bool]:
    """Which attributes of a scene a reading shows; `relation` where the scene has one, and `all_correct`."""
    wanted = {scene.colour: scene.shape}
    if scene.second:
        wanted[scene.second.colour] = scene.second.shape
    found = {thing.colour: thing for thing in reading.things}
    alone = len(reading.things) == len(wanted)
    result = {
        "colour": alone and found.keys() == wanted.keys(),
        "shape": alone
        and sorted(thing.shape for thing in reading.things) == sorted(wanted.values())
        and all(found[colour].shape == shape for colour, shape in wanted.items() if colour in found),
        "background": reading.background == scene.background,
    }
    if scene.second:
        result["relation"] = result["colour"] and scene.second.relation == _relation(
            found[scene.colour], found[scene.second.colour]
        )
    else:
        result["motion"] = reading.motion == scene.motion
    return result | {"all_correct": all(result.values())}


def _reduced(frames: Tensor) -> np.ndarray:
    """At most FRAMES frames of at most WIDTH pixels, float64."""
    count = frames.shape[0]
    chosen = np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int)
    frames = frames[chosen].float()
    if frames.shape[-1] > WIDTH:
        size = (frames.shape[-2] * WIDTH // frames.shape[-1], WIDTH)
        frames = functional.interpolate(frames, size=size, mode="area")
    return frames.double().numpy()


def _spots(difference: np.ndarray) -> list[np.ndarray]:
    """The shapes, largest first, as masks (frames, height, width); as many as most frames show."""
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
    followed: list[list[np.ndarray]] = [[] for _ in centres]
    for parts in by_frame:
        for index, centre in enumerate(centres):
            near = min(parts, key=lambda part: np.hypot(*(_centroid(part) - centre)), default=None)
            followed[index].append(np.zeros(difference.shape[1:], bool) if near is None else near)
            if near is not None:
                centres[index] = _centroid(near)
    return [np.stack(masks) for masks in followed]


def _components(mask: np.ndarray) -> list[np.ndarray]:
    """Connected parts of a mask (height, width)."""
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


def _thing(video: np.ndarray, background: np.ndarray, masks: np.ndarray) -> Thing:
    """What the pixels around some masks are, with soft edges."""
    core = masks & (_neighbours(masks) >= 4)
    inside = core if core.any() else masks
    colour = np.median(video.transpose(0, 2, 3, 1)[inside], axis=0)
    direction = colour - background
    share = np.tensordot(video - background[None, :, None, None], direction, axes=([1], [0])) / (
        direction @ direction
    )
    soft = np.clip(share, 0, 1) * (_neighbours(masks) + masks > 0)
    rows, columns = np.indices(soft.shape[1:])
    area = np.maximum(soft.sum(axis=(1, 2)), 1e-9)
    x = (soft * columns).sum(axis=(1, 2)) / area + 0.5
    y = (soft * rows).sum(axis=(1, 2)) / area + 0.5
    return Thing(_shape(soft, x, y, area), _nearest(colour, COLOURS), x, y, area / soft[0].size)


def _neighbours(masks: np.ndarray) -> np.ndarray:
    """How many of its four neighbours of each pixel are set."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1))).astype(int)
    return padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]


def _shape(soft: np.ndarray, x: np.ndarray, y: np.ndarray, area: np.ndarray) -> str:
    """The shape that, drawn as large and at the same place, overlaps best over all frames."""
    height, width = soft.shape[1:]

    def overlap(shape: str) -> float:
        radius = np.sqrt(area / AREAS[shape])
        drawn = coverage(shape, x, y - CENTROIDS[shape] * radius, radius, height, width)
        return float(np.minimum(drawn, soft).sum() / np.maximum(drawn, soft).sum())

    return max(SHAPES, key=overlap)


def _motion(thing: Thing, height: int) -> str:
    """By the straight line through the places, and through the sizes, of all frames."""
    times = np.linspace(-0.5, 0.5, len(thing.x))
    travel = {axis: np.polyfit(times, getattr(thing, axis), 1)[0] / height for axis in ("x", "y")}
    growth = np.exp(np.polyfit(times, np.log(np.maximum(thing.area, 1e-6)), 1)[0])
    if max(map(abs, travel.values())) > SHORTEST_TRAVEL:
        step = (np.sign(travel["x"]), 0) if abs(travel["x"]) > abs(travel["y"]) else (0, np.sign(travel["y"]))
        return next(name for name, direction in DIRECTIONS.items() if direction == step)
    if growth > LEAST_GROWTH:
        return "growing"
    return "shrinking" if growth < 1 / LEAST_GROWTH else STILL


def _relation(first: Thing, second: Thing) -> str:
    """Where the first is, seen from the second: one of RELATIONS."""
    across = float(np.mean(first.x - second.x))
    down = float(np.mean(first.y - second.y))
    above, below, left, right = RELATIONS
    if abs(across) > abs(down):
        return right if across > 0 else left
    return below if down > 0 else above


def _centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0)


def _nearest(colour: np.ndarray, palette: object) -> str:
    """The name of the colour of a palette that is nearest to an RGB triple in [-1, 1]."""
    distances = {name: np.linalg.norm((colour + 1) * 127.5 - np.array(rgb)) for name, rgb in palette.items()}  # type: ignore[attr-defined]
    return min(distances, key=distances.__getitem__)
