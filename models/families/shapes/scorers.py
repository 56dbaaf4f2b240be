"""The scorer of the small cascade: how well a clip fits its caption."""

from __future__ import annotations

from cascade.models.clip import Clip
from cascade.models.families.shapes.text_video import load_text_video


def text_video(clip: Clip, prompt: str) -> tuple[float, ...]:
    """Score the similarity of clip and prompt by the small text-video network: 1 where they fit, 0 at worst."""
    similarity = load_text_video().similarity(clip.frames.float().clamp(-1, 1), prompt)
    return tuple(((1 + similarity) / 2).tolist())
