"""Temporal attention over all pixels of all frames, and the positions it adds."""

from __future__ import annotations

import math

import pytest
import torch

from cascade.models.families.shapes.space_time_attention import POSITION_SIZE, SpaceTimeAttention, positions
from cascade.models.layers.temporal import TemporalTransformer


def test_positions_are_sines_and_cosines_of_frame_row_and_column() -> None:
    table = (
        positions((3, 2, 4), torch.zeros(1, 24, 14)) / POSITION_SIZE
    )  # two waves an axis: rates 1 and 1/10
    assert table[0].tolist() == [0, 0, 1, 1] * 3 + [0, 0]
    frame, row, column = 2, 1, 3
    expected = [
        wave(place * rate)
        for place in (frame, row, column)
        for wave in (math.sin, math.cos)
        for rate in (1, 0.1)
    ]
    assert table[-1].tolist() == pytest.approx([*expected, 0, 0], abs=1e-6)


def test_it_knows_where_and_when() -> None:
    """The same frame again and again: only positions tell its frames apart, away from the clip's ends."""
    across, own_pixel = SpaceTimeAttention(12, 2, 6, 4), TemporalTransformer(12, 2, 6, 4)
    for layer in (across, own_pixel):
        torch.nn.init.normal_(layer.proj_out.weight)
    still = torch.randn(1, 12, 3, 4).repeat(6, 1, 1, 1)
    with torch.inference_mode():
        moved, same = across(still, 6), own_pixel(still, 6)
    assert (moved[2] - moved[3]).abs().max() > 1e-3
    torch.testing.assert_close(same[2], same[3])


def test_it_sees_other_pixels() -> None:
    across, own_pixel = SpaceTimeAttention(12, 2, 6, 4), TemporalTransformer(12, 2, 6, 4)
    frames = torch.randn(6, 12, 3, 4)
    changed = frames.clone()
    changed[0, :, 0, 0] = changed[0, :, 0, 0].flip(
        0
    )  # another pixel, with the norm's groups of three flipped too
    for layer in (across, own_pixel):
        torch.nn.init.normal_(layer.proj_out.weight)
        layer.norm = torch.nn.GroupNorm(1, 12)  # one group: a flip of channels leaves its mean and deviation
    with torch.inference_mode():
        assert (across(frames, 6) - across(changed, 6))[5, :, 2, 3].abs().max() > 1e-5
        torch.testing.assert_close(own_pixel(frames, 6)[5, :, 2, 3], own_pixel(changed, 6)[5, :, 2, 3])
