"""Wishes: scenes that fulfil what a prompt says, and whether a clip does."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from torch import Tensor

from cascade.models.families.shapes.analyser import DetectedObject, Detection, analyse, relation_of
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.outlines import choices, outline_figures
from cascade.models.families.shapes.people_prompts import Thing, Wish
from cascade.models.families.shapes.scene import SIZES, Scene, random_scene

MIDDLE_SIZE = math.sqrt(SIZES["small"] * SIZES["large"])
"""Mean radius from where a shape is large."""


@dataclass(frozen=True)
class WishScene:
    """A prompt with what it says, as `models.evaluation.scenes.Scene`; `index` chooses one of the scenes that fit it."""

    prompt: str
    wish: Wish
    seed: int
    index: int

    def render(self, frames: int, height: int, width: int) -> Tensor:
        """Draw a scene that fits: (frames, 3, height, width), pixels in [-1, 1]."""
        return render(
            fitting_scene(self.wish, np.random.default_rng((self.seed, self.index))), frames, height, width
        )

    def check(self, frames: Tensor) -> dict[str, bool]:
        """Return which of the said attributes a clip (frames, 3, height, width) in [-1, 1] shows, and `all_correct`."""
        return fulfilment(analyse(frames), self.wish)

    def measure(self, frames: Tensor) -> dict[str, float]:
        """Measure the outlines in a clip (frames, 3, height, width) in [-1, 1], as `outline_figures`."""
        return outline_figures(frames)

    def choices(self, frames: Tensor) -> dict[str, float]:
        """Return place, size and speed in a clip (frames, 3, height, width) in [-1, 1], as `outlines.choices`."""
        return choices(frames)


def fitting_scene(wish: Wish, rng: np.random.Generator) -> Scene:
    """Draw a scene at random of those that fulfil a wish."""
    while True:
        scene = _dressed(random_scene("train", rng), wish)
        if scene is not None:
            return scene


def fulfilment(detection: Detection, wish: Wish) -> dict[str, bool]:
    """Return which of the attributes that a wish says were detected, the number of `objects`, and `all_correct`."""
    as_many = len(detection.objects) == len(wish.things)
    orders = itertools.permutations(detection.objects) if as_many else [()]
    best = max((_matches(order, detection.motion, wish) for order in orders), key=lambda m: sum(m.values()))
    result = {"objects": as_many} | {name: as_many and matches for name, matches in best.items()}
    if wish.background:
        result["background"] = detection.background == wish.background
    return result | {"all_correct": all(result.values())}


def _matches(objects: tuple[DetectedObject, ...], motion: str | None, wish: Wish) -> dict[str, bool]:
    """Compare objects with the things of a wish, in this order; attributes of which it says nothing are left out."""
    pairs = list(zip(objects, wish.things, strict=False))
    matches = {}
    if any(colour for colour, _ in wish.things):
        matches["colour"] = all(colour in (None, item.colour) for item, (colour, _) in pairs)
    if any(shape for _, shape in wish.things):
        matches["shape"] = all(shape in (None, item.shape) for item, (_, shape) in pairs)
    if wish.motion:
        matches["motion"] = motion == wish.motion
    if wish.relations:
        matches["relation"] = len(objects) == 2 and relation_of(*objects) in wish.relations
    if wish.size:
        radius = fmean(objects[0].radius) if objects else 0.0
        matches["size"] = (radius > MIDDLE_SIZE) == (wish.size == "large")
    return matches


def _dressed(scene: Scene, wish: Wish) -> Scene | None:
    """Return a scene in a wish's shapes and colours; None if it moves, or is placed, otherwise, or its colours meet."""
    relation = scene.second.relation if scene.second else None
    if (
        (scene.second is None) != (len(wish.things) == 1)
        or (wish.motion or scene.motion) != scene.motion
        or (wish.size or scene.size) != scene.size
        or (wish.relations and relation not in wish.relations)
    ):
        return None
    colour, shape = _worn(wish.things[0], scene.colour, scene.shape)
    second = scene.second
    if second:
        other_colour, other_shape = _worn(wish.things[1], second.colour, second.shape)
        if other_colour == colour:
            return None
        second = replace(second, colour=other_colour, shape=other_shape)
    background = wish.background or scene.background
    return replace(scene, colour=colour, shape=shape, background=background, second=second)


def _worn(thing: Thing, colour: str, shape: str) -> tuple[str, str]:
    return thing[0] or colour, thing[1] or shape
