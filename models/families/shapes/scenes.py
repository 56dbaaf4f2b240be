"""Scenes of moving shapes for evaluation: prompted by their canonical caption or in people's words, checked by the analyser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import Tensor

from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.outlines import choices, outline_figures
from cascade.models.families.shapes.people_prompts import (
    BY_KIND,
    NOT_UNDERSTOOD,
    ORDINARY,
    SPREAD_PROMPTS,
    Wish,
)
from cascade.models.families.shapes.scene import Scene, Split, random_scene
from cascade.models.families.shapes.wishes import WishScene


@dataclass(frozen=True)
class ShapesScene:
    """A scene of moving shapes, as `models.evaluation.scenes.Scene`."""

    scene: Scene

    @property
    def prompt(self) -> str:
        return canonical_caption(self.scene)

    def render(self, frames: int, height: int, width: int) -> Tensor:
        """Draw the scene: (frames, 3, height, width), pixels in [-1, 1]."""
        return render(self.scene, frames, height, width)

    def check(self, frames: Tensor) -> dict[str, bool]:
        """Return which attributes a clip (frames, 3, height, width) in [-1, 1] shows."""
        return agreement(analyse(frames), self.scene)

    def measure(self, frames: Tensor) -> dict[str, float]:
        """Measure the outlines in a clip (frames, 3, height, width) in [-1, 1], as `outline_figures`."""
        return outline_figures(frames)

    def choices(self, frames: Tensor) -> dict[str, float]:
        """Return place, size and speed in a clip (frames, 3, height, width) in [-1, 1], as `outlines.choices`."""
        return choices(frames)


def shapes_scene(split: str, index: int, seed: int) -> ShapesScene | WishScene:
    """Return a scene of a split.

    Of `train` and `held-out` it is what `MovingShapes(split, ..., seed)[index]` shows. `people/KIND` has the prompts of people,
    `spread/NUMBER` one prompt and ever other scenes that fit it, `ordinary` and `not understood` prompts alone.
    """
    match split.split("/"):
        case ["people", kind]:
            prompt = BY_KIND[kind][index]
            return WishScene(prompt.text, prompt.wish, seed, index)
        case ["spread", number]:
            text, wish = SPREAD_PROMPTS[int(number)]
            return WishScene(text, wish, seed, index)
        case ["ordinary" | "not understood"]:
            texts = ORDINARY if split == "ordinary" else NOT_UNDERSTOOD
            return WishScene(texts[index], Wish(((None, None),)), seed, index)
    return ShapesScene(random_scene(cast(Split, split), np.random.default_rng((seed, index))))
