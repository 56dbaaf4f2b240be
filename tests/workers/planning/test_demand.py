"""Arrivals are as many as asked for, of the kinds and in the bursts asked for."""

from __future__ import annotations

import pytest

from cascade.workers.planning.demand import Bursts, Demand, Kind, Visit, draw_arrivals, percentile

VISIT = Visit("a.draw", {"cpu": (1.0, 2.0, 3.0)})
DEMAND = Demand((Kind("video", 3, 60, (VISIT,)), Kind("draft", 1, 60, (VISIT,))), per_second=2.0)


def test_as_many_jobs_of_each_kind_come_as_were_asked_for() -> None:
    arrivals = list(draw_arrivals(DEMAND, 20_000, seed=1))
    assert arrivals[-1].at == pytest.approx(10_000, rel=0.03)
    drafts = sum(arrival.kind.name == "draft" for arrival in arrivals)
    assert drafts / 20_000 == pytest.approx(0.25, abs=0.02)
    assert arrivals[:100] == list(draw_arrivals(DEMAND, 100, seed=1))


def test_bursts_move_jobs_and_add_none() -> None:
    """Three times as many for 20 s of every 100 s: of 80 + 3 * 20 = 140 parts, 60 come in bursts."""
    demand = Demand(DEMAND.kinds, 2.0, Bursts(factor=3, length_s=20, every_s=100))
    times = [arrival.at for arrival in draw_arrivals(demand, 20_000, seed=1)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(10_000, rel=0.03)
    in_bursts = sum(at % 100 > 80 for at in times)
    assert in_bursts / 20_000 == pytest.approx(60 / 140, rel=0.03)


def test_times_are_drawn_from_those_measured() -> None:
    assert [VISIT.drawn("cpu", draw) for draw in (0.0, 0.34, 0.99)] == [1.0, 2.0, 3.0]
    assert VISIT.mean_s("cpu") == 2.0
    assert VISIT.variance("cpu") == pytest.approx(2 / 3)


def test_a_percentile_is_a_value_that_its_share_do_not_exceed() -> None:
    assert percentile([float(value) for value in range(1, 21)], 0.95) == 19
    assert percentile([7.0], 0.95) == 7
