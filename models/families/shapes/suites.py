"""Suites of moving shapes: prompts of seen and of held-out combinations and in people's words, and clips to restore."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.evaluation.suites import Suite
from cascade.models.families.shapes.people_prompts import BY_KIND, NOT_UNDERSTOOD, ORDINARY, SPREAD_PROMPTS

PEOPLE = {f"people/{kind}": len(prompts) for kind, prompts in BY_KIND.items()}

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
    "people": Suite(
        f"{sum(PEOPLE.values())} prompts in people's words, by kind; and of which prompts the preset warns.",
        PEOPLE,
        warned=PEOPLE | {"ordinary": len(ORDINARY), "not understood": len(NOT_UNDERSTOOD)},
        features=False,
    ),
    "diversity": Suite(
        f"Places, sizes and speeds of {len(SPREAD_PROMPTS)} prompts over 30 seeds, in the first stage's clips.",
        spreads={f"spread/{number}": 30 for number in range(len(SPREAD_PROMPTS))},
        stages=1,
        features=False,
    ),
}
