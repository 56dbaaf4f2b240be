"""Shares and means with their intervals, by hand and from tables."""

from __future__ import annotations

import pytest

from cascade.models.evaluation.statistics import mean, share, t95


def test_a_share_has_wilsons_interval() -> None:
    estimate = share([True] * 9 + [False])
    # By hand: p = 0.9, n = 10, z = 1.96: centre (0.9 + 0.192) / 1.384, half 1.96 / 1.384 * sqrt(0.009 + 0.0096).
    assert estimate.value == 0.9
    assert estimate.low == pytest.approx(0.596, abs=0.002)
    assert estimate.high == pytest.approx(0.982, abs=0.002)
    assert share([True] * 5).high == pytest.approx(1.0)


def test_a_mean_has_students_interval() -> None:
    """From the tables: t is 12.706, 4.303, 3.182, 2.042 and 1.960 for 1, 2, 3, 30 and many degrees of freedom."""
    estimate = mean([1.0, 2.0, 3.0])
    assert estimate.value == 2.0
    assert estimate.high - 2.0 == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    result = [t95(freedom) for freedom in (1, 2, 3, 30, 60_000)]
    assert result == pytest.approx([12.706, 4.303, 3.182, 2.042, 1.960], abs=1e-3)
