"""Evaluation suites: which clips are generated and compared. Free of torch: the command line lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cascade.models.families.registry import offered

REPORT = "report.json"
"""The file in a run's folder that holds its figures."""


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        description: for the command line's help and the head of the report.
        prompts: number of videos to generate of each split of the family's scenes, such as `train` and `held-out`; a split
            `people/typo` counts for all of `people` too.
        warned: number of prompts of each split of which is only asked whether the preset warns of them.
        spreads: number of seeds with which each of these splits, whose scenes have the same prompt, is generated.
        reconstructions: number of rendered clips to restore.
        seed: of the scenes, apart from those of training, and of the order in which captions are drawn from a list.
        listed: number of videos to generate of captions from a list of video files.
        references: number of videos of the list to compare them with, at most.
        size: height and width to which listed and generated videos are resized.
        stages: number of stages that run, from the first; None runs all.
        features: measure clips by feature networks too.
    """

    description: str
    prompts: Mapping[str, int] = field(default_factory=dict)
    reconstructions: int = 0
    seed: int = 20_000
    listed: int = 0
    references: int = 0
    size: tuple[int, int] | None = None
    warned: Mapping[str, int] = field(default_factory=dict)
    spreads: Mapping[str, int] = field(default_factory=dict)
    stages: int | None = None
    features: bool = True


def available_suites() -> Mapping[str, Suite]:
    """Return the suites of all families by name."""
    return {name: suite for suites in offered("suites").values() for name, suite in suites.items()}
