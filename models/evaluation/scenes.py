"""Scenes: prompts whose true clips can be drawn, and looked for in clips that a cascade generates."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from cascade.models.families.registry import family_of, offered


class Scene(Protocol):
    """A prompt together with the truth about it."""

    @property
    def prompt(self) -> str:
        """The text to prompt with."""
        ...

    def render(self, frames: int, height: int, width: int) -> Tensor:
        """Draw the scene: (frames, 3, height, width), pixels in [-1, 1]."""
        ...

    def check(self, frames: Tensor) -> dict[str, bool]:
        """Return which attributes of the scene a clip (frames, 3, height, width) in [-1, 1] shows; one is `all_correct`."""
        ...

    def measure(self, frames: Tensor) -> dict[str, float]:
        """Return further figures of a clip (frames, 3, height, width) in [-1, 1], such as how clean its outlines are."""
        ...

    def choices(self, frames: Tensor) -> dict[str, float]:
        """Return what the prompt leaves open, such as places, of a clip (frames, 3, height, width); empty if it shows nothing."""
        ...


class Scenes(Protocol):
    """An endless source of scenes (`Family.scenes`)."""

    def __call__(self, split: str, index: int, seed: int) -> Scene:
        """Return the scene with a number: of `train`, what training shows, of `held-out`, what it never does, or of a split of its own."""
        ...


def scenes_for(preset: str) -> Scenes:
    """Return the scenes of the preset's family, or where it has none, those of the first family that has some."""
    family = family_of(preset)
    scenes: Scenes = (
        next(iter(offered("scenes").values())) if family.scenes is None else family.part(family.scenes)
    )
    return scenes
