"""Scorers among drafts of one prompt."""

from __future__ import annotations

import torch

from cascade.models.clip import Clip
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.scoring import get_scorer


def test_the_scorer_prefers_the_clip_of_the_prompt() -> None:
    clips = MovingShapes("train", 8, 20, 32, seed=78)
    singles = [sample for sample in (clips[index] for index in range(40)) if sample.scene.second is None][:12]
    frames = torch.stack([sample.frames for sample in singles])
    for index, sample in enumerate(singles):
        scores = get_scorer("text-video")(Clip(frames, 2), canonical_caption(sample.scene))
        assert all(0 <= score <= 1 for score in scores)
        assert scores[index] > sum(scores) / len(scores) + 0.2


def test_temporal_consistency_is_one_for_a_still_clip() -> None:
    still, jumping = torch.zeros(4, 3, 5, 5), torch.ones(4, 3, 5, 5)
    jumping[::2] = -1
    assert get_scorer("temporal-consistency")(Clip(torch.stack([still, jumping]), 2), "") == (1.0, 0.0)
