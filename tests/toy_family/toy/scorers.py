"""Brighter is better."""

from __future__ import annotations

from cascade.models.clip import Clip


def brightness(clip: Clip, _prompt: str) -> tuple[float, ...]:
    """Score each video by its mean brightness, 0 to 1."""
    return tuple(((clip.frames.clamp(-1, 1).mean(dim=(1, 2, 3, 4)) + 1) / 2).tolist())
