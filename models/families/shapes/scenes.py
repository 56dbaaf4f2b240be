"""Scenes of moving shapes for evaluation: prompted by their canonical caption, checked by the analyser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import Tensor

from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.scene import Scene, Split, random_scene


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


def shapes_scene(split: str, index: int, seed: int) -> ShapesScene:
    """Return the scene that `MovingShapes(split, ..., seed)[index]` shows."""
    return ShapesScene(random_scene(cast(Split, split), np.random.default_rng((seed, index))))
