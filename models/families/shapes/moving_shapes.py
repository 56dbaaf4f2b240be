"""Moving shapes: an endless, seeded set of captioned clips, drawn when they are asked for.

A scene is one flat shape that moves, grows, shrinks or stands still on a plain background, or two still shapes,
one above, below, left of or right of the other. It has no size in pixels and no frame rate: the same scene is
drawn at any size and with any number of frames, as training the stages of a cascade needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

Split = Literal["train", "held-out"]
Colour = tuple[int, int, int]
_T = TypeVar("_T")

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
"""Where a motion goes: right and down are positive."""

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
"""What stays free at the sides of the picture, as a part of the shorter side."""
SHORTEST_TRAVEL = 0.34
"""A moving shape crosses at least this part of the width or height."""
SMALLEST_DISTANCE = 0.42
"""Distance between the centres of two shapes, as a part of the shorter side: 0.06 stays free between them."""

SHARE_OF_PAIRS = 0.25
SHARE_OF_CANONICAL_CAPTIONS = 0.5
SHARE_OF_NAMED_SIZES = 0.3


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
    """All there is to know about a clip, but for its numbers of pixels and frames.

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


@dataclass(frozen=True, eq=False)
class Sample:
    """A clip for training.

    Attributes:
        frames: float32 (frames, 3, height, width) in [-1, 1].
        caption: lower case.
    """

    frames: Tensor
    caption: str
    scene: Scene


@dataclass(frozen=True)
class MovingShapes:
    """A map from any index >= 0 to a `Sample`, without end; the same in every process and on every machine.

    Scene and caption depend on split, seed and index alone, so that sets that differ in size or number of frames
    show the same clips.

    Attributes:
        split: "held-out" has the combinations that "train" never shows; see `is_held_out`.
        frames, height, width: of each clip, in pixels.
    """

    split: Split
    frames: int
    height: int
    width: int
    seed: int = 0

    def __getitem__(self, index: int) -> Sample:
        """Raises IndexError when `index` is negative."""
        if index < 0:
            raise IndexError(f"moving shapes are numbered from 0; there is no {index}")
        rng = np.random.default_rng((self.seed, index))
        scene = random_scene(self.split, rng)
        return Sample(render(scene, self.frames, self.height, self.width), caption(scene, rng), scene)


def is_held_out(shape: str, colour: str, motion: str) -> bool:
    """Whether this combination is kept for evaluation: 20 of 196, spread over all shapes, colours and motions."""
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
    """A scene of `split`; a quarter of them have two shapes, the second always of a training combination."""
    if rng.random() < SHARE_OF_PAIRS:
        return _random_pair(split, rng)
    shape, colour, motion = _pick(rng, COMBINATIONS[split])
    size = _pick(rng, list(SIZES))
    x, y, travel = rng.random(), rng.random(), 0.0
    if motion in DIRECTIONS:
        travel = rng.uniform(SHORTEST_TRAVEL / _room(1, SIZES[size]), 1)
        step_x, step_y = DIRECTIONS[motion]
        x, y = _start(x, step_x, travel), _start(y, step_y, travel)
    return Scene(shape, colour, _pick(rng, list(BACKGROUNDS)), size, motion, x, y, travel)


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
    """Where each shape is in the frames that `render` draws.

    Returns:
        float32 (frames, len(SHAPES), height, width) in [0, 1]: how much of a pixel a shape covers.
    """
    maps = np.zeros((frames, len(SHAPES), height, width), np.float32)
    for shape, _, covered in _covers(scene, frames, height, width):
        maps[:, SHAPES.index(shape)] += covered
    return torch.from_numpy(maps)


def coverage(
    shape: str, x: np.ndarray, y: np.ndarray, radius: np.ndarray, height: int, width: int
) -> np.ndarray:
    """How much of each pixel a shape covers.

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
    return np.clip(0.5 - distance, 0, 1)


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of several ways to describe a scene; every second time the canonical one, rarely with the size."""
    named = not scene.second and rng.random() < SHARE_OF_NAMED_SIZES
    thing = _with_article(f"{scene.size} {scene.colour} {scene.shape}" if named else _name(scene))
    background = f"a {scene.background} background"
    if rng.random() < SHARE_OF_CANONICAL_CAPTIONS:
        return f"{thing} {_phrases(scene)[0][0]} on {background}"
    being, does = (_pick(rng, phrases) for phrases in _phrases(scene))
    return _pick(
        rng,
        (
            f"{thing} {being} on {background}",
            f"{thing} {does} on {background}",
            f"on {background}, {thing} {does}",
            f"{background} with {thing} {being}",
            f"{thing} {being}",
        ),
    )


def canonical_caption(scene: Scene) -> str:
    """The caption to prompt with, such as "a red circle moving right on a gray background"."""
    return f"{_with_article(_name(scene))} {_phrases(scene)[0][0]} on a {scene.background} background"


MOTION_PHRASES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "moving right": (
        ("moving right", "moving to the right", "going right"),
        ("moves right", "goes to the right"),
    ),
    "moving left": (("moving left", "moving to the left", "going left"), ("moves left", "goes to the left")),
    "moving up": (("moving up", "moving upwards", "rising"), ("moves up", "rises")),
    "moving down": (("moving down", "moving downwards", "falling"), ("moves down", "falls")),
    "standing still": (("standing still", "at rest"), ("stands still", "does not move")),
    "growing": (("growing", "getting bigger"), ("grows", "gets bigger")),
    "shrinking": (("shrinking", "getting smaller"), ("shrinks", "gets smaller")),
}
"""How captions speak of a motion: what the shape is doing, and what it does. The first is the canonical one."""

RELATION_PHRASES: Mapping[str, tuple[str, ...]] = {
    "above": ("above",),
    "below": ("below", "under"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
}
"""How captions speak of a relation; the first is the canonical one."""


def _random_pair(split: Split, rng: np.random.Generator) -> Scene:
    shape, colour, _ = _pick(rng, _still(split))
    other_shape, other_colour, _ = _pick(rng, [other for other in _still("train") if other[1] != colour])
    distance = rng.uniform(SMALLEST_DISTANCE / _room(1, SIZES["small"]), 1)
    near = rng.random() * (1 - distance)
    aside = 0.5 + (rng.random(3) - 0.5) * (0.8, 0.2, 0.2)  # off the middle together, and a little apart
    first, second = (near, aside[0] + aside[1] - 0.5), (near + distance, aside[0] + aside[2] - 0.5)
    relation = _pick(rng, RELATIONS)
    if relation in ("below", "right of"):
        first, second = second, first
    if relation in ("above", "below"):
        first, second = first[::-1], second[::-1]
    return Scene(
        shape,
        colour,
        _pick(rng, list(BACKGROUNDS)),
        "small",
        STILL,
        *map(float, first),
        second=Second(other_shape, other_colour, relation, *map(float, second)),
    )


def _still(split: Split) -> list[tuple[str, str, str]]:
    return [combination for combination in COMBINATIONS[split] if combination[2] == STILL]


def _start(place: float, step: int, travel: float) -> float:
    """Squeeze a place into the part of 0..1 from where `travel` in the direction of `step` stays inside."""
    if step == 0:
        return place
    start = place * (1 - travel)
    return start if step > 0 else start + travel


def _room(side: float, radius: float) -> float:
    """The part of a side where the centre of a shape may be; radius as a part of a shorter side of 1."""
    return side - 2 * (radius + MARGIN)


def _covers(scene: Scene, frames: int, height: int, width: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Each shape and its colour, with how much of each pixel it covers: (frames, height, width)."""
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
    shape: str, x: np.ndarray, y: np.ndarray, radius: np.ndarray, room_for: float, height: int, width: int
) -> np.ndarray:
    """`coverage` of a shape whose place and size are given as in `Scene` and `SIZES`."""
    unit = min(height, width)
    left_x = (room_for + MARGIN + x * _room(width / unit, room_for)) * unit
    top_y = (room_for + MARGIN + y * _room(height / unit, room_for)) * unit
    return coverage(shape, left_x, top_y, radius * unit, height, width)


def _distance(shape: str, x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Distance of points to the edge of a shape around (0, 0), negative inside."""
    match shape:
        case "circle":
            return np.sqrt(x * x + y * y) - radius
        case "square":
            return np.maximum(np.abs(x), np.abs(y)) - np.float32(0.88) * radius
        case "triangle":
            # Sides from the tip (0, -radius) to (+-radius, radius): 2 |x| - y = radius, whose normal is sqrt(5) long.
            side = (2 * np.abs(x) - y - radius) / np.float32(5**0.5)
            return np.maximum(side, y - radius)
        case "cross":
            x, y, arm = np.abs(x), np.abs(y), np.float32(0.36) * radius
            return np.minimum(np.maximum(x - radius, y - arm), np.maximum(x - arm, y - radius))
    raise ValueError(f'there is no shape "{shape}"; choose one of {", ".join(SHAPES)}')


def _unit_range(colour: Colour) -> np.ndarray:
    return np.array(colour, np.float32) / np.float32(127.5) - 1


def _name(thing: Scene | Second) -> str:
    return f"{thing.colour} {thing.shape}"


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _phrases(scene: Scene) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the first shape is doing, and what it does: its motion, or where it is beside the second shape."""
    if scene.second is None:
        return MOTION_PHRASES[scene.motion]
    other = _with_article(_name(scene.second))
    places = tuple(f"{phrase} {other}" for phrase in RELATION_PHRASES[scene.second.relation])
    return places, tuple(f"is {place}" for place in places)


def _pick(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    return items[rng.integers(len(items))]
