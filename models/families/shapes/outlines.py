"""Outlines: how near the shapes of a clip are to ideal ones, and how steady they stay from frame to frame.

Each detected shape is fitted, frame by frame, by the ideal shape of its kind at any place and of any size, in pixels of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cascade.models.families.shapes.analyser import AREAS, CENTROIDS, WIDTH, DetectedObject, analyse
from cascade.models.families.shapes.drawing import coverage

Array = NDArray[Any]

REACH = 1.6
"""Pixels up to this many radii from the centre, across and down, are looked at."""
DEAD_ZONE = 0.05
"""Coverage so near to 0 or 1 counts as 0 or 1, for noise would add up over many pixels."""
CORE = 0.7
"""Part of the radius within which the colour is measured."""
ROUNDS = 2
"""How often the colour, and with it what the shape covers, is measured anew."""
STEP = 0.5
"""Difference of place or radius, in pixels, over which a slope is taken."""
GRID = 96
"""Points across the grid on which shapes are laid over each other."""


@dataclass(frozen=True)
class Outline:
    """A shape of a clip, and the ideal one of its kind that fits best in each frame.

    Attributes:
        shape: one of SHAPES.
        x, y, radius: of the ideal shape in each frame (frames,), in pixels.
        colour: in each frame (frames, 3), in [-1, 1].
        covered, ideal: how much of each pixel around the shape it covers, and the ideal one: (frames, side, side), 0 to 1.
        left, top: place of the first of these pixels in each frame (frames,).
    """

    shape: str
    x: Array
    y: Array
    radius: Array
    colour: Array
    covered: Array
    ideal: Array
    left: Array
    top: Array

    def overlap(self) -> Array:
        """Return intersection over union of shape and ideal shape in each frame (frames,)."""
        return _overlap(self.covered, self.ideal)

    def boil(self) -> Array:
        """Return intersection over union of each frame's shape with the first frame's, at the same place and size (frames,).

        It is divided by that of the ideal shapes, which have the same pixels: 1 for a shape that keeps its outline.
        """
        laid, ideal = (self._lay(pictures) for pictures in (self.covered, self.ideal))
        boil: Array = np.minimum(_overlap(laid, laid[:1]) / _overlap(ideal, ideal[:1]).clip(1e-9), 1)
        return boil

    def size_residual(self) -> float:
        """Return the deviation of the measured size from a straight line over time, relative to the mean size."""
        size = np.sqrt(self.covered.sum(axis=(1, 2)))
        return float(np.sqrt(np.square(_off_line(size)).mean()) / max(size.mean(), 1e-9))

    def softness(self) -> float:
        """Return how soft the edge is: 1 as rendered, 2 twice as wide."""
        soft, ideal = (float((picture * (1 - picture)).sum()) for picture in (self.covered, self.ideal))
        return soft / max(ideal, 1e-9)

    def _lay(self, pictures: Array) -> Array:
        """Move and scale pictures (frames, side, side) to a common place and size: (frames, GRID, GRID)."""
        steps = np.linspace(-REACH, REACH, GRID) * 0.9
        across = (self.x - self.left)[:, None] + steps * self.radius[:, None] - 0.5
        down = (self.y - self.top)[:, None] + steps * self.radius[:, None] - 0.5
        return _sample(pictures, across, down)


def outline_figures(frames: Tensor) -> dict[str, float]:
    """Measure the outlines of a clip (frames, 3, height, width) in [-1, 1], at least 32 pixels wide.

    Returns:
        Empty where no shape is seen, else means over frames and shapes:
        overlap: with the ideal shape, intersection over union; overlap_cross: of crosses alone, if there are any;
        boil, boil_worst: overlap of the frames' shape with the first frame's, mean and least;
        size_residual: deviation of the size from a straight line over time, relative;
        colour_flicker, background_flicker: change from frame to frame beside a straight line, in levels of 255;
        edge_softness: width of the edges, where rendered ones are 1.
    """
    background, outlines = measure_outlines(frames)
    if not outlines:
        return {}
    overlaps = [(one.shape, float(one.overlap().mean())) for one in outlines]
    crosses = [overlap for shape, overlap in overlaps if shape == "cross"]
    # A single frame boils no more than a still picture.
    boils = [one.boil()[1:] if len(frames) > 1 else np.ones(1) for one in outlines]
    figures = {
        "overlap": np.mean([overlap for _, overlap in overlaps]),
        "boil": np.mean(boils),
        "boil_worst": np.min(boils),
        "size_residual": np.mean([one.size_residual() for one in outlines]),
        "colour_flicker": np.mean([_flicker(one.colour) for one in outlines]),
        "background_flicker": _flicker(background),
        "edge_softness": np.mean([one.softness() for one in outlines]),
    }
    figures |= {"overlap_cross": np.mean(crosses)} if crosses else {}
    return {name: float(value) for name, value in figures.items()}


def choices(frames: Tensor) -> dict[str, float]:
    """Measure what a prompt leaves open in a clip (frames, 3, height, width) in [-1, 1]; empty unless it shows one shape.

    Returns:
        x, y: place of the centre in the first frame, in widths and heights; size: mean radius in parts of the shorter side;
        speed: way from the first to the last frame, in widths or heights.
    """
    _, outlines = measure_outlines(frames)
    if len(outlines) != 1:
        return {}
    (outline,) = outlines
    height, width = frames.shape[-2:]
    x, y = outline.x / width, outline.y / height
    return {
        "x": float(x[0]),
        "y": float(y[0]),
        "size": float(outline.radius.mean() / min(height, width)),
        "speed": float(max(abs(x[-1] - x[0]), abs(y[-1] - y[0]))),
    }


def measure_outlines(frames: Tensor) -> tuple[Array, list[Outline]]:
    """Fit all shapes of a clip (frames, 3, height, width) in [-1, 1].

    Returns:
        The background's colour in each frame, (frames, 3), and the outlines.
    """
    video: Array = frames.float().clamp(-1, 1).numpy()
    edges = [video[:, :, 0], video[:, :, -1], video[:, :, :, 0], video[:, :, :, -1]]
    background: Array = np.median(np.concatenate(edges, axis=2), axis=2)
    objects = analyse(frames).objects
    centres = [_start(item, video) for item in objects]
    return background, [
        fit(item.shape, centres[index], video, background, centres[:index] + centres[index + 1 :])
        for index, item in enumerate(objects)
    ]


def fit(shape: str, start: Array, video: Array, background: Array, others: list[Array]) -> Outline:
    """Fit a shape of a kind: of the same centroid and area, and then by least squares of the coverage.

    Args:
        start: first guess of x, y and radius in pixels, (frames, 3); `others` are those of the clip's other shapes.
        video: (frames, 3, height, width) in [-1, 1].
        background: its colour, (frames, 3).
    """
    half = int(np.ceil(REACH * start[:, 2].max())) + 1
    left, top = (np.floor(start[:, axis]).astype(int) - half for axis in (0, 1))
    side = 2 * half + 1
    pixels, inside = _window(video - background[:, :, None, None], left, top, side)
    inside &= _nearer(start, others, left, top, side)
    offset = np.stack([left, top, np.zeros_like(left)], axis=1)
    place, covered, colour = start - offset, np.empty(0), np.empty(0)
    for _ in range(ROUNDS):
        # Well inside, where no soft edge reaches, the colour is that by which the ideal coverage explains the pixels.
        core = _draw(shape, place * (1, 1, CORE), side) * inside
        weight = np.maximum((core * _draw(shape, place, side)).sum(axis=(1, 2)), 1e-6)
        colour = np.einsum("fyx,fcyx->fc", core, pixels) / weight[:, None]
        strength = np.maximum(np.square(colour).sum(axis=1), 1e-6)[:, None, None]
        covered = _clear(np.einsum("fc,fcyx->fyx", colour, pixels) / strength) * inside
        place = _moments(shape, covered)
    place = _improve(shape, place, covered, inside)
    ideal = _clear(_draw(shape, place, side)) * inside
    x, y, radius = (place + offset).T
    return Outline(shape, x, y, radius, colour + background, covered, ideal, left, top)


def _start(item: DetectedObject, video: Array) -> Array:
    """Guess x, y and radius of a detected object in every frame (frames, 3), in pixels, from the analyser's few frames."""
    count, _, height, width = video.shape
    radius = np.sqrt(item.area * height * width / AREAS[item.shape])
    scale = width / min(width, WIDTH)
    x, y = item.x * scale, item.y * scale - CENTROIDS[item.shape] * radius
    sampled = np.linspace(0, 1, len(item.x))
    every = np.linspace(0, 1, count)
    return np.stack([np.interp(every, sampled, values) for values in (x, y, radius)], axis=1)


def _window(video: Array, left: Array, top: Array, side: int) -> tuple[Array, Array]:
    """Cut a square out of each frame: pixels (frames, 3, side, side), and which of them are in the picture (frames, side, side)."""
    height, width = video.shape[2:]
    rows, columns = top[:, None] + np.arange(side), left[:, None] + np.arange(side)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    numbers = np.arange(len(video))[:, None, None]
    return np.moveaxis(video[numbers, :, rows[:, :, None], columns[:, None]], 3, 1), inside


def _nearer(start: Array, others: list[Array], left: Array, top: Array, side: int) -> Array:
    """Tell which pixels of a window are nearer to its shape than to another one: (frames, side, side)."""
    across = (left[:, None] + np.arange(side) + 0.5)[:, None, :]
    down = (top[:, None] + np.arange(side) + 0.5)[:, :, None]

    def distance(places: Array) -> Array:
        x, y = places[:, 0, None, None], places[:, 1, None, None]
        squared: Array = np.square(across - x) + np.square(down - y)
        return squared

    nearer = np.ones((len(start), side, side), bool)
    for other in others:
        nearer &= distance(start) <= distance(other)
    return nearer


def _moments(shape: str, covered: Array) -> Array:
    """Return the place and radius (frames, 3) of the shape that has the centroid and the area of coverages (frames, side, side)."""
    middles = np.arange(covered.shape[-1]) + 0.5
    area = np.maximum(covered.sum(axis=(1, 2)), 1e-6)
    radius = np.sqrt(area / AREAS[shape])
    x, y = covered.sum(axis=1) @ middles / area, covered.sum(axis=2) @ middles / area
    return np.stack([x, y - CENTROIDS[shape] * radius, radius], axis=1)


def _improve(shape: str, place: Array, covered: Array, inside: Array) -> Array:
    """Take a step of Gauss-Newton from places (frames, 3) within the window."""
    side = covered.shape[-1]

    def draw(places: Array) -> Array:
        drawn = _clear(_draw(shape, places, side)) * inside
        return drawn.reshape(len(places), -1)

    shifts = STEP * np.eye(3)
    slopes = np.stack([(draw(place + one) - draw(place - one)) / (2 * STEP) for one in shifts], axis=1)
    wrong = covered.reshape(len(place), -1) - draw(place)
    step = np.linalg.solve(slopes @ slopes.transpose(0, 2, 1) + 1e-3 * np.eye(3), slopes @ wrong[:, :, None])
    better: Array = place + np.clip(step[:, :, 0], -1, 1)
    return better


def _draw(shape: str, places: Array, side: int) -> Array:
    """Compute the `coverage` of a shape at places (frames, 3) within the window: (frames, side, side)."""
    x, y, radius = places.T
    return coverage(shape, x, y, radius, side, side)


def _clear(covered: Array) -> Array:
    cleared: Array = np.clip((covered - DEAD_ZONE) / (1 - 2 * DEAD_ZONE), 0, 1)
    return cleared


def _overlap(one: Array, other: Array) -> Array:
    """Return intersection over union of pictures (frames, height, width), for each frame (frames,)."""
    overlap: Array = np.minimum(one, other).sum(axis=(1, 2)) / np.maximum(one, other).sum(axis=(1, 2)).clip(
        1e-9
    )
    return overlap


def _sample(pictures: Array, across: Array, down: Array) -> Array:
    """Sample pictures (frames, height, width) bilinearly on grids of columns and rows (frames, GRID): (frames, GRID, GRID)."""
    height, width = pictures.shape[1:]
    across, down = np.clip(across, 0, width - 1.001), np.clip(down, 0, height - 1.001)
    column, row = across.astype(int), down.astype(int)
    right, lower = (across - column)[:, None, :], (down - row)[:, :, None]
    numbers = np.arange(len(pictures))[:, None, None]

    def take(below: int, beside: int) -> Array:
        taken: Array = pictures[numbers, row[:, :, None] + below, column[:, None] + beside]
        return taken

    upper_row = take(0, 0) * (1 - right) + take(0, 1) * right
    lower_row = take(1, 0) * (1 - right) + take(1, 1) * right
    sampled: Array = upper_row * (1 - lower) + lower_row * lower
    return sampled


def _off_line(values: Array) -> Array:
    """Return what is left of values over time (frames, ...) beside the straight line that fits best."""
    if len(values) < 3:
        return np.zeros_like(values)
    times = np.linspace(-1, 1, len(values))
    flat = values.reshape(len(values), -1)
    line = np.outer(times, times @ flat / (times @ times)) + flat.mean(axis=0)
    rest: Array = values - line.reshape(values.shape)
    return rest


def _flicker(colours: Array) -> float:
    """Return the mean change of colours (frames, 3) in [-1, 1] from frame to frame beside a straight line, in levels of 255."""
    changes = np.diff(_off_line(colours), axis=0)
    return float(np.abs(changes).mean() * 127.5) if len(changes) else 0.0
