"""Scenes of moving shapes: their vocabulary, what may be in the picture, and how they are drawn at random.

A scene is one flat shape that moves, grows, shrinks or stands still on a plain background, or two still shapes, one above,
below, left of or right of the other. It has no size in pixels and no frame rate.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

_T = TypeVar("_T")

Split = Literal["train", "held-out"]

Colour = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "cross")

COLOURS: Mapping[str, Colour] = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (30, 60, 220),
    "yellow": (250, 220, 30),
    "purple": (140, 40, 170),
    "orange": (250, 130, 20),
    "cyan": (20, 190, 200),
}

BACKGROUNDS: Mapping[str, Colour] = {
    "white": (245, 245, 245),
    "gray": (128, 128, 128),
    "black": (15, 15, 15),
    "pink": (255, 180, 200),
    "light blue": (180, 210, 250),
}

SIZES: Mapping[str, float] = {"small": 0.18, "large": 0.28}
"""Radius of a shape as a part of the shorter side of the picture; a shape fills a box of twice its radius."""

DIRECTIONS: Mapping[str, tuple[int, int]] = {
    "moving right": (1, 0),
    "moving left": (-1, 0),
    "moving up": (0, -1),
    "moving down": (0, 1),
}
"""Direction of each motion; right and down are positive."""

GROWTH: Mapping[str, tuple[float, float]] = {"growing": (0.7, 1.3), "shrinking": (1.3, 0.7)}
"""Radius in the first and in the last frame, as multiples of the radius of the scene's size."""

STILL = "standing still"

MOTIONS = (*DIRECTIONS, STILL, *GROWTH)

OPPOSITES: Mapping[str, str] = {
    "above": "below",
    "below": "above",
    "left of": "right of",
    "right of": "left of",
}

RELATIONS = tuple(OPPOSITES)

MARGIN = 0.02
"""Free space at the sides of the picture, as a part of the shorter side."""

SHORTEST_TRAVEL = 0.34
"""A moving shape crosses at least this part of the width or height."""

SMALLEST_DISTANCE = 0.42
"""Distance between the centres of two shapes, as a part of the shorter side: 0.06 stays free between them."""

SHARE_OF_PAIRS = 0.25


@dataclass(frozen=True)
class Second:
    """The still shape beside the first one of a scene.

    Attributes:
        shape, colour: one of SHAPES and of COLOURS.
        relation: where the *first* shape is, seen from this one: one of RELATIONS.
        x, y: place of the centre, as in `Scene`.
    """

    shape: str
    colour: str
    relation: str
    x: float
    y: float


@dataclass(frozen=True)
class Scene:
    """All that fixes a clip, but for its numbers of pixels and frames.

    Attributes:
        shape, colour, background, size, motion: one of SHAPES, COLOURS, BACKGROUNDS, SIZES, MOTIONS.
        x, y: place of the centre in the first frame, 0 to 1: 0 where the shape touches the left (upper) margin,
            1 where it touches the right (lower) one.
        travel: how far it moves until the last frame, on the scale of `x` and `y`; 0 unless it moves.
        second: another shape; the first one stands still then.
    """

    shape: str
    colour: str
    background: str
    size: str
    motion: str
    x: float
    y: float
    travel: float = 0.0
    second: Second | None = None

    def __post_init__(self) -> None:
        if self.second and self.motion != STILL:
            raise ValueError(f'beside a second shape the first is {STILL}, not "{self.motion}"')


def is_held_out(shape: str, colour: str, motion: str) -> bool:
    """Return whether a combination is held out for evaluation: 20 of 196, spread over all shapes, colours and motions."""
    number = SHAPES.index(shape) + 2 * list(COLOURS).index(colour) + 3 * MOTIONS.index(motion)
    return number % 10 == 3


COMBINATIONS: Mapping[Split, list[tuple[str, str, str]]] = {
    split: [
        combination
        for combination in itertools.product(SHAPES, COLOURS, MOTIONS)
        if is_held_out(*combination) == (split == "held-out")
    ]
    for split in ("train", "held-out")
}
"""The (shape, colour, motion) of each split."""


def random_scene(split: Split, rng: np.random.Generator) -> Scene:
    """Draw a scene of `split`; a quarter of them have two shapes, the second always of a training combination."""
    if rng.random() < SHARE_OF_PAIRS:
        return _random_pair(split, rng)
    shape, colour, motion = pick(rng, COMBINATIONS[split])
    size = pick(rng, list(SIZES))
    x, y, travel = rng.random(), rng.random(), 0.0
    if motion in DIRECTIONS:
        travel = rng.uniform(SHORTEST_TRAVEL / room(1, SIZES[size]), 1)
        step_x, step_y = DIRECTIONS[motion]
        x, y = _start(x, step_x, travel), _start(y, step_y, travel)
    return Scene(shape, colour, pick(rng, list(BACKGROUNDS)), size, motion, x, y, travel)


def _random_pair(split: Split, rng: np.random.Generator) -> Scene:
    shape, colour, _ = pick(rng, _still(split))
    other_shape, other_colour, _ = pick(rng, [other for other in _still("train") if other[1] != colour])
    distance = rng.uniform(SMALLEST_DISTANCE / room(1, SIZES["small"]), 1)
    near = rng.random() * (1 - distance)
    aside = 0.5 + (rng.random(3) - 0.5) * (0.8, 0.2, 0.2)  # off the middle together, and a little apart
    first, second = (near, aside[0] + aside[1] - 0.5), (near + distance, aside[0] + aside[2] - 0.5)
    relation = pick(rng, RELATIONS)
    if relation in ("below", "right of"):
        first, second = second, first
    if relation in ("above", "below"):
        first, second = first[::-1], second[::-1]
    return Scene(
        shape,
        colour,
        pick(rng, list(BACKGROUNDS)),
        "small",
        STILL,
        float(first[0]),
        float(first[1]),
        second=Second(other_shape, other_colour, relation, float(second[0]), float(second[1])),
    )


def _still(split: Split) -> list[tuple[str, str, str]]:
    return [combination for combination in COMBINATIONS[split] if combination[2] == STILL]


def _start(place: float, step: int, travel: float) -> float:
    """Squeeze a place into the part of 0..1 from where `travel` in the direction of `step` stays inside."""
    if step == 0:
        return place
    start = place * (1 - travel)
    return start if step > 0 else start + travel


def room(side: float, radius: float) -> float:
    """Return the part of a side where the centre of a shape may be; radius as a part of a shorter side of 1."""
    return side - 2 * (radius + MARGIN)


def pick(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    return items[int(rng.integers(len(items)))]
