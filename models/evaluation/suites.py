"""Named suites: which clips are made and compared. A suite is one entry in SUITES."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """Attributes:
    description: for the command line's help and the head of the report.
    prompts: how many videos are made of each split of moving shapes: `train` (seen combinations), `held-out`.
    reconstructions: how many rendered clips interpolation and super-resolution are given to restore.
    seed: of the scenes, apart from those of training, and of the order in which captions are drawn from a list.
    listed: how many videos are made of captions from a list of video files.
    references: how many videos of the list they are compared with, at most.
    size: height and width in which listed and made videos are looked at.
    """

    description: str
    prompts: Mapping[str, int] = field(default_factory=dict)
    reconstructions: int = 0
    seed: int = 20_000
    listed: int = 0
    references: int = 0
    size: tuple[int, int] | None = None


SUITES: Mapping[str, Suite] = {
    "quick": Suite("A look in a few minutes.", {"train": 8, "held-out": 4}, 4),
    "brief": Suite(
        "60 prompts of seen and 30 of held-out combinations; 20 clips to restore.",
        {"train": 60, "held-out": 30},
        20,
    ),
    "shapes": Suite(
        "200 prompts of seen and 100 of held-out combinations; 50 clips to restore.",
        {"train": 200, "held-out": 100},
        50,
    ),
    "ucf-101": Suite(
        "Show-1, section 4.2: 10,000 videos of prompts written for the classes; FVD of 2,048. The Inception Score is of "
        "frames by ImageNet's Inception-v3, and not comparable with the paper's Table 1.",
        listed=10_000,
        references=2_048,
        size=(256, 256),
    ),
    "msr-vtt": Suite(
        "Show-1, section 4.2: a video for each of the 59,794 captions of the test split for CLIPSIM; FID-vid and FVD of "
        "2,048.",
        listed=59_794,
        references=2_048,
        size=(256, 256),
    ),
}
