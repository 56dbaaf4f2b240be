"""Formulas of queueing theory, against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from cascade.workers.planning.demand import Bursts, Demand, Kind, Visit
from cascade.workers.planning.line import Conditions
from cascade.workers.planning.queueing import Load, burst_wait_s, erlang_c, load


def test_erlang_c() -> None:
    """M/M/1: the load itself. M/M/2 with 1 erlang: (1/2)/(1 - 1/2) / (1 + 1 + (1/2)/(1 - 1/2)) = 1/3."""
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)


def test_equal_times_wait_half_as_long_as_exponential_ones() -> None:
    """Pollaczek and Khinchine: M/D/1 at load 0.5 waits 0.5 / (2 * 0.5) = half a service time, M/M/1 a whole one."""
    equal, exponential = (Load(0.05, 10.0, variance, 1.0) for variance in (0.0, 100.0))
    assert equal.wait(1)[0] == pytest.approx(5.0)
    assert exponential.wait(1)[0] == pytest.approx(10.0)
    assert exponential.wait(1)[1] == pytest.approx(
        300.0
    )  # waits 0 or, half of them, 20 s on average: 800/2 - 10^2


def test_workers_that_are_away_and_runs_that_are_lost_count_as_load() -> None:
    """Of 100 s a worker is there 80. Runs of 10 s at a loss every 80 s cost 80 * (e^(1/8) - 1) = 10.65 s."""
    demand = Demand((Kind("video", 1, 60, (Visit("a.draw", {"cpu": (10.0,)}),)),), per_second=1.0)
    conditions = Conditions(handoff_s=0, worker_life_s=80, restart_s=20)
    found = load(demand, ("a.draw",), "cpu", conditions)
    assert found.mean_s == pytest.approx(10.652, abs=0.001)
    assert found.erlangs == pytest.approx(13.315, abs=0.001)
    assert found.least_workers == 14
    assert found.wait(13) == (math.inf, math.inf)


def test_a_burst_waits_for_what_it_piles_up() -> None:
    """3 times as many for 100 s of every 1000 s, which is 1.2 times as many on average: 1.2 erlangs are 3 in bursts.

    One worker needs 300 s for them, so the last waits 200 s. A quarter of all jobs come in bursts, and of these a fifth
    waits longer than 95 % of all do: 160 s.
    """
    visit = Visit("a.draw", {"cpu": (10.0,)})
    demand = Demand((Kind("video", 1, 60, (visit,)),), 0.1, Bursts(3, 100, 1000))
    own = Load(0.1, 12.0, 0.0, 1.0)
    assert own.erlangs == pytest.approx(1.2)
    assert burst_wait_s(demand, own, 1) == pytest.approx(100 * (3 - 1) * (1 - 0.05 / 0.25))
    assert burst_wait_s(demand, own, 4) == 0


def test_lists_of_busy_workers_forget_slowly() -> None:
    """One worker: 10 / (1 - sqrt(0.81))^2 = 1000 s; four of the same load each: a quarter of that."""
    assert Load(0.081, 10.0, 0.0, 1.0).relaxation_s(1) == pytest.approx(1000)
    assert Load(0.324, 10.0, 0.0, 1.0).relaxation_s(4) == pytest.approx(250)
    assert Load(0.1, 10.0, 0.0, 1.0).relaxation_s(1) == math.inf
