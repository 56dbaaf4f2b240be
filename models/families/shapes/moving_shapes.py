"""Moving shapes: an endless, seeded set of captioned clips, drawn when they are asked for.

The same scene is drawn at any size and with any number of frames, as training the stages of a cascade needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from cascade.models.families.shapes.captions import caption
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.scene import Scene, Split, random_scene


@dataclass(frozen=True)
class Annotation:
    """What is known of a drawn clip: its scene, and which attributes of it the caption mentions."""

    scene: Scene
    mentions: frozenset[str]


@dataclass(frozen=True, eq=False)
class Sample:
    """A clip for training.

    Attributes:
        frames: float32 (frames, 3, height, width) in [-1, 1].
        caption: as somebody would type it.
    """

    frames: Tensor
    caption: str
    annotation: Annotation

    @property
    def scene(self) -> Scene:
        return self.annotation.scene

    @property
    def skipped(self) -> tuple[Path, ...]:
        """No file is skipped where clips are drawn."""
        return ()


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
        written = caption(scene, rng)
        frames = render(scene, self.frames, self.height, self.width)
        return Sample(frames, written.text, Annotation(scene, written.mentions))


def training_clips(frames: int, height: int, width: int, seed: int) -> MovingShapes:
    """Return the clips that the presets are trained on where no video files are named."""
    return MovingShapes("train", frames, height, width, seed)
