"""What queueing theory says of a line before it is simulated: the fewest workers it needs, and how long stages wait.

Waits are those of the M/G/c queue by Allen and Cunneen's approximation: Erlang's C formula for M/M/c, times half of
1 + the squared coefficient of variation of the times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cascade.workers.planning.demand import Demand, Kind
from cascade.workers.planning.line import Conditions, Pool

Z_95 = 1.645
TINY_S = 1e-9


@dataclass(frozen=True)
class Load:
    """What comes to a pool.

    Attributes:
        per_second: stages.
        mean_s, variance: of the time for which a stage keeps a worker busy.
        availability: which part of the time a worker is there.
    """

    per_second: float
    mean_s: float
    variance: float
    availability: float

    @property
    def erlangs(self) -> float:
        """Return how many workers are busy on average."""
        return self.per_second * self.mean_s / self.availability

    @property
    def least_workers(self) -> int:
        """Return the fewest workers with which the pool's lists do not grow for ever."""
        return math.floor(self.erlangs) + 1

    def relaxation_s(self, workers: int) -> float:
        """Return in how long the lists forget how they began: the relaxation time of M/M/c; infinite if they grow."""
        if workers <= self.erlangs:
            return math.inf
        return self.mean_s / workers / (1 - math.sqrt(self.erlangs / workers)) ** 2

    def wait(self, workers: int) -> tuple[float, float]:
        """Return mean and variance of the time that a stage waits; infinite where workers are too few."""
        spare = workers - self.erlangs
        if spare <= 0:
            return math.inf, math.inf
        waits = erlang_c(workers, round(self.erlangs, 9))
        variation = (1 + self.variance / max(self.mean_s, TINY_S) ** 2) / 2
        wait_s = self.mean_s / self.availability / spare * variation  # of those that wait
        return waits * wait_s, waits * (2 - waits) * wait_s**2


def burst_wait_s(demand: Demand, load: Load, workers: int) -> float:
    """Return how long 95 % of all stages wait at most for what a burst has piled up, if it comes as an even flow.

    At a burst's end as much waits as has come in excess of what workers do; jobs before its end wait in proportion.
    """
    bursts = demand.bursts
    if bursts is None:
        return 0.0
    rate = load.erlangs * bursts.factor / bursts.mean_factor  # in workers that it keeps busy
    in_bursts = bursts.factor * bursts.length_s / bursts.every_s / bursts.mean_factor
    excess = max(rate / workers - 1, 0.0)
    return bursts.length_s * excess * max(1 - 0.05 / in_bursts, 0.0)


def load(demand: Demand, queues: tuple[str, ...], device: str, conditions: Conditions) -> Load:
    """Return what comes to a pool that serves some queues on a device."""
    visits = [each for queue in queues for each in demand.visits(queue)]
    rate = sum(per_second for per_second, _ in visits)
    times = [
        (per_second / rate, conditions.work_s(visit.mean_s(device)), visit.variance(device))
        for per_second, visit in visits
    ]
    mean_s = sum(share * seconds for share, seconds, _ in times)
    square = sum(share * (variance + seconds**2) for share, seconds, variance in times)
    return Load(rate, mean_s, max(square - mean_s**2, 0.0), conditions.availability)


@lru_cache(maxsize=10_000)
def erlang_c(workers: int, erlangs: float) -> float:
    """Return the probability that a job waits in M/M/c, by the recursion of Erlang's B formula.

    Args:
        erlangs: less than `workers`.
    """
    blocked = 1.0
    for busy in range(1, workers + 1):
        blocked = erlangs * blocked / (busy + erlangs * blocked)
    return blocked / (1 - erlangs / workers * (1 - blocked))


def estimate_p95_s(
    demand: Demand, kind: Kind, pools: Mapping[str, Pool], loads: Mapping[str, Load], conditions: Conditions
) -> float:
    """Estimate a kind's 95 % latency by the normal distribution of the sum of its times and waits.

    Args:
        pools, loads: by queue.
    """
    mean_s, variance = 0.0, 0.0
    for visit in kind.visits:
        pool = pools[visit.queue]
        wait_s, wait_variance = loads[visit.queue].wait(pool.workers)
        mean_s += conditions.handoff_s + visit.mean_s(pool.device) + wait_s
        mean_s += burst_wait_s(demand, loads[visit.queue], pool.workers)
        variance += visit.variance(pool.device) + wait_variance
    return mean_s + Z_95 * math.sqrt(variance)
