"""Scorers choose among drafts of one prompt ("best of N"); a preset names its own. Higher is better."""

from __future__ import annotations

from collections.abc import Callable

from cascade.models.clip import Clip
from cascade.models.families.shapes.text_video import load_text_video

Scorer = Callable[[Clip, str], tuple[float, ...]]
"""Takes a clip of several videos and their prompt; returns one score in 0..1 per video."""


def temporal_consistency(clip: Clip, _prompt: str) -> tuple[float, ...]:
    """How little neighbouring frames differ: 1 for a still clip, 0 where every pixel jumps from black to white.

    For presets without a text-video similarity: it needs no network, and never looks at the prompt.
    """
    frames = clip.frames.float().clamp(-1, 1)
    change = (frames[:, 1:] - frames[:, :-1]).abs().mean(dim=(1, 2, 3, 4)) / 2
    return tuple((1 - change).tolist())


def text_video(clip: Clip, prompt: str) -> tuple[float, ...]:
    """Similarity of clip and prompt by the small text-video network: 1 where they fit. It knows moving shapes alone."""
    similarity = load_text_video().similarity(clip.frames.float().clamp(-1, 1), prompt)
    return tuple(((1 + similarity) / 2).tolist())


SCORERS: dict[str, Scorer] = {"temporal-consistency": temporal_consistency, "text-video": text_video}
