"""The jobs that every line of a comparison gets, as many as tell the 95 % latency of every kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cascade.workers.planning.demand import Arrival, Demand, draw_arrivals
from cascade.workers.planning.line import Conditions, Pool
from cascade.workers.planning.simulation import Outcome, simulate

JOBS, MOST_JOBS = 5_000, 40_000
JOBS_OF_A_KIND = 300
WARM_UP = 0.15


@dataclass(frozen=True)
class Trace:
    """Jobs, of which those of the warm-up fill the line and do not count."""

    arrivals: tuple[Arrival, ...]
    warm_up_s: float
    seed: int

    @classmethod
    def drawn(cls, demand: Demand, seed: int, times: int = 1) -> Self:
        """Draw jobs, for `times` as long as is enough."""
        warm_up_s = WARM_UP * enough_s(demand)
        jobs = math.ceil((warm_up_s + times * enough_s(demand)) * demand.per_second)
        return cls(tuple(draw_arrivals(demand, jobs, seed)), warm_up_s, seed)

    def through(self, pools: Sequence[Pool], conditions: Conditions) -> Outcome:
        """Simulate the jobs' way through a line."""
        return simulate(self.arrivals, pools, conditions, seed=self.seed, count_from_s=self.warm_up_s)


def enough_s(demand: Demand) -> float:
    """Return for how long jobs must arrive: some of each kind, ten times the longest target, whole cycles of bursts."""
    least = min(demand.share(kind) for kind in demand.kinds) * demand.per_second
    span_s = max(
        JOBS_OF_A_KIND / least, JOBS / demand.per_second, 10 * max(kind.p95_s for kind in demand.kinds)
    )
    span_s = min(span_s, MOST_JOBS / demand.per_second)
    if demand.bursts is None:
        return span_s
    return math.ceil(span_s / demand.bursts.every_s) * demand.bursts.every_s
