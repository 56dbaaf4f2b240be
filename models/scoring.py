"""Scorers choose among drafts of one prompt ("best of N"); a preset names its own. Higher is better."""

from __future__ import annotations

from collections.abc import Callable

from cascade.models.clip import Clip
from cascade.models.families.registry import families

Scorer = Callable[[Clip, str], tuple[float, ...]]
"""Takes a clip of several videos and their prompt; returns one score in 0..1 per video."""


def temporal_consistency(clip: Clip, _prompt: str) -> tuple[float, ...]:
    """Score how little neighbouring frames differ: 1 for a still clip, 0 where every pixel jumps from black to white.

    For presets without a text-video similarity: it needs no network, and never looks at the prompt.
    """
    frames = clip.frames.float().clamp(-1, 1)
    change = (frames[:, 1:] - frames[:, :-1]).abs().mean(dim=(1, 2, 3, 4)) / 2
    return tuple((1 - change).tolist())


SCORERS: dict[str, Scorer] = {"temporal-consistency": temporal_consistency}


def get_scorer(name: str) -> Scorer:
    """Return the scorer that a preset names, a general one or a family's. Raises KeyError if there is none."""
    if name in SCORERS:
        return SCORERS[name]
    references = {
        scorer: (family, reference)
        for family in families().values()
        for scorer, reference in family.scorers.items()
    }
    family, reference = references[name]
    scorer: Scorer = family.part(reference)
    return scorer
