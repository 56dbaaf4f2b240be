"""Named suites: which clips are made and compared. A suite is one entry in SUITES."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """Attributes:
    prompts: how many videos are made of each split of moving shapes: `train` (seen combinations), `held-out`.
    reconstructions: how many rendered clips interpolation and super-resolution are given to restore.
    seed: of the scenes, apart from those of training.
    """

    description: str
    prompts: Mapping[str, int]
    reconstructions: int
    seed: int = 20_000


SUITES: Mapping[str, Suite] = {
    "quick": Suite("A look in a few minutes.", {"train": 8, "held-out": 4}, 4),
    "shapes": Suite(
        "200 prompts of seen and 100 of held-out combinations; 50 clips to restore.",
        {"train": 200, "held-out": 100},
        50,
    ),
}
