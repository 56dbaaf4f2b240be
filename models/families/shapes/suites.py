"""Suites of moving shapes: prompts of seen and of held-out combinations, and clips to restore."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.evaluation.suites import Suite

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
}
