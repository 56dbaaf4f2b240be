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
        prompts: number of videos to generate of each split of the family's scenes: `train`, `held-out`.
        reconstructions: number of rendered clips to restore.
        seed: of the scenes, apart from those of training, and of the order in which captions are drawn from a list.
        listed: number of videos to generate of captions from a list of video files.
        references: number of videos of the list to compare them with, at most.
        size: height and width to which listed and generated videos are resized.
    """

    description: str
    prompts: Mapping[str, int] = field(default_factory=dict)
    reconstructions: int = 0
    seed: int = 20_000
    listed: int = 0
    references: int = 0
    size: tuple[int, int] | None = None


def available_suites() -> Mapping[str, Suite]:
    """Return the suites of all families by name."""
    return {name: suite for suites in offered("suites").values() for name, suite in suites.items()}
