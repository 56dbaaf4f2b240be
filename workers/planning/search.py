"""The search for the cheapest line that meets its targets.

Queueing theory chooses devices and a number of workers to begin with; simulations of the same jobs then add workers
where stages wait, and take away those that are not needed. A longer simulation of other jobs has the last word. Where
workers are so busy that a simulation ends before their lists have become as long as they will, theory has a veto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cascade.workers.errors import WorkerError
from cascade.workers.planning.demand import Demand
from cascade.workers.planning.layouts import Layout, apart
from cascade.workers.planning.line import Conditions, Device, Pool
from cascade.workers.planning.queueing import Load, estimate_p95_s, load
from cascade.workers.planning.simulation import Outcome
from cascade.workers.planning.trace import Trace, enough_s

FINEST = 50
"""Workers are added and taken away one by one, or by fiftieths where there are so many."""
COARSE = 10
MOST_GROWTHS = 60
CONFIRMED_TIMES = 2
RELAXATIONS = 5
"""A simulation is long enough for a pool whose relaxation time fits into it so often."""
NOT_WORTH_IT = 0.99

Pools = tuple[Pool, ...]


class NoPlan(WorkerError):
    """No number of workers meets the targets."""


@dataclass(frozen=True)
class Plan:
    """A line, and what a simulation says of it.

    Attributes:
        price, floor_price: of an hour; the floor is of the fewest workers that keep up at all, waiting aside.
        lateness: the largest ratio of a kind's 95 % latency to its target.
        span_s: how long jobs arrived that count in the simulation.
    """

    pools: Pools
    price: float
    floor_price: float
    lateness: float
    outcome: Outcome
    span_s: float


def make_plan(
    demand: Demand,
    devices: Mapping[str, Device],
    conditions: Conditions,
    *,
    layouts: Sequence[Layout] | None = None,
    seed: int = 0,
) -> Plan:
    """Find a cheap line that meets the targets of all kinds.

    Args:
        layouts: which queues share workers, several ways to choose from; None gives each queue its own.
    Raises:
        NoPlan: the targets cannot be met by more workers; says by which stages.
    """
    search = _Search(demand, devices, conditions, seed)
    found: Pools | None = None
    reason: NoPlan | None = None
    for layout in layouts or [apart(demand)]:
        try:
            found = search.cheaper(layout, found)
        except NoPlan as why:
            reason = why
    if found is None:
        assert reason is not None
        raise reason
    return search.confirmed(found)


def assess(
    demand: Demand, devices: Mapping[str, Device], conditions: Conditions, pools: Pools, *, seed: int = 0
) -> Plan:
    """Simulate a line whose workers are given, whether it meets the targets or not."""
    return _Search(demand, devices, conditions, seed).assessed(pools)


def least_pools(
    demand: Demand, devices: Mapping[str, Device], conditions: Conditions, layout: Layout
) -> Pools:
    """Return the pools of a layout with the fewest workers that keep up, each on the device where that is cheapest.

    Raises:
        NoPlan: no device has times, and memory, for all queues of a pool.
    """
    return tuple(
        min(
            _candidates(demand, devices, conditions, queues),
            key=lambda pool: (_price([pool], devices), pool.device),
        )
        for queues in layout
    )


@dataclass
class _Search:
    demand: Demand
    devices: Mapping[str, Device]
    conditions: Conditions
    seed: int
    _late: list[Pools] = field(default_factory=list)

    @cached_property
    def _trace(self) -> Trace:
        return Trace.drawn(self.demand, self.seed)

    @cached_property
    def _other_trace(self) -> Trace:
        return Trace.drawn(self.demand, self.seed + 1, CONFIRMED_TIMES)

    def cheaper(self, layout: Layout, found: Pools | None) -> Pools | None:
        """Return pools of a layout that meet the targets and cost less than those found before; else those."""
        limit = math.inf if found is None else _price(found, self.devices)
        least = least_pools(self.demand, self.devices, self.conditions, layout)
        if _price(least, self.devices) >= NOT_WORTH_IT * limit:
            return found
        pools, _ = self._grown(self._estimated(least), self._trace)
        pools = self._shrunk(self._on_cheaper_devices(self._shrunk(pools)))
        return pools if _price(pools, self.devices) < limit else found

    def confirmed(self, pools: Pools) -> Plan:
        """Let a longer simulation of other jobs check the pools, and add what they lack."""
        return self._plan(*self._grown(pools, self._other_trace))

    def assessed(self, pools: Pools) -> Plan:
        """Let the longer simulation say how the pools do."""
        return self._plan(pools, self._other_trace.through(pools, self.conditions))

    def _plan(self, pools: Pools, outcome: Outcome) -> Plan:
        floor = least_pools(self.demand, self.devices, self.conditions, [pool.queues for pool in pools])
        return Plan(
            pools,
            price=_price(pools, self.devices),
            floor_price=_price(floor, self.devices),
            lateness=self._lateness(pools, outcome),
            outcome=outcome,
            span_s=CONFIRMED_TIMES * enough_s(self.demand),
        )

    def _estimated(self, pools: Pools) -> Pools:
        """Change devices and add workers, one cheapest step at a time, until the estimate meets the targets."""
        while (late := self._estimated_lateness(pools)) > 1:
            steps = [(self._estimated_lateness(step), step) for step in self._steps(pools)]
            better = [(lateness, step) for lateness, step in steps if lateness < late * (1 - 1e-6)]
            if not better:
                return pools  # the simulation has the last word
            price = _price(pools, self.devices)
            _, pools = min(better, key=lambda each: self._price_of_gain(late, each[0], price, each[1]))
        return pools

    def _price_of_gain(self, late: float, lateness: float, price: float, step: Pools) -> float:
        gain = (late if math.isfinite(late) else 1e9) - max(lateness, 1.0)
        more = _price(step, self.devices) - price
        return more / gain if more > 0 else more  # what costs nothing goes first

    def _steps(self, pools: Pools) -> Iterator[Pools]:
        for index, pool in enumerate(pools):
            yield _changed(pools, index, replace(pool, workers=pool.workers + max(pool.workers // FINEST, 1)))
            for other in _candidates(self.demand, self.devices, self.conditions, pool.queues):
                if other.device != pool.device:
                    yield _changed(pools, index, other)

    def _estimated_lateness(self, pools: Pools) -> float:
        by_queue = {queue: pool for pool in pools for queue in pool.queues}
        loads = {queue: self._load(pool) for pool in pools for queue in pool.queues}
        return max(
            estimate_p95_s(self.demand, kind, by_queue, loads, self.conditions) / kind.p95_s
            for kind in self.demand.kinds
        )

    def _load(self, pool: Pool) -> Load:
        return load(self.demand, pool.queues, pool.device, self.conditions)

    def _grown(self, pools: Pools, trace: Trace) -> tuple[Pools, Outcome]:
        """Add workers where stages wait longest for the price, until the targets are met."""
        for _ in range(MOST_GROWTHS):
            outcome = trace.through(pools, self.conditions)
            if self._lateness(pools, outcome) <= 1:
                return pools, outcome
            waits = [self._wait_for_price(pool, outcome) for pool in pools]
            index = waits.index(max(waits))
            if waits[index] < 1e-6:
                break
            pool = pools[index]
            step = max(pool.workers // COARSE, 1) if self._is_simulated_long_enough(pool) else 1
            pools = _changed(pools, index, replace(pool, workers=pool.workers + step))
        raise NoPlan(self._complaint(pools, outcome))

    def _lateness(self, pools: Pools, outcome: Outcome) -> float:
        simulated = outcome.lateness(self.demand.kinds)
        if all(map(self._is_simulated_long_enough, pools)):
            return simulated
        return max(simulated, self._estimated_lateness(pools))

    def _is_simulated_long_enough(self, pool: Pool) -> bool:
        return self._load(pool).relaxation_s(pool.workers) < enough_s(self.demand) / RELAXATIONS

    def _wait_for_price(self, pool: Pool, outcome: Outcome) -> float:
        wait_s = sum(outcome.waited_s[queue] for queue in pool.queues)
        if not self._is_simulated_long_enough(pool):
            wait_s = max(wait_s, self._load(pool).wait(pool.workers)[0])
        return wait_s / self.devices[pool.device].price

    def _shrunk(self, pools: Pools) -> Pools:
        """Take workers away, dearest first, in large steps and then in small ones, while the targets are met."""
        order = sorted(range(len(pools)), key=lambda each: -self.devices[pools[each].device].price)
        for part in (COARSE, FINEST):
            for index in order:
                pools = self._shrunk_at(pools, index, max(pools[index].workers // part, 1))
        return pools

    def _shrunk_at(self, pools: Pools, index: int, step: int) -> Pools:
        pool = pools[index]
        least = self._load(pool).least_workers
        while pool.workers - step >= least:
            pool = replace(pool, workers=pool.workers - step)
            fewer = _changed(pools, index, pool)
            if self._is_late(fewer):
                break
            pools = fewer
        return pools

    def _on_cheaper_devices(self, pools: Pools) -> Pools:
        """Move pools to other devices, with as many workers as cost a little less, where the targets are still met."""
        for index, pool in enumerate(pools):
            for other in _candidates(self.demand, self.devices, self.conditions, pool.queues):
                price = _price([pools[index]], self.devices) / self.devices[other.device].price
                affordable = replace(other, workers=math.ceil(price - 1e-9) - 1)
                moved = _changed(pools, index, affordable)
                if affordable.workers >= other.workers and not self._is_late(moved):
                    pools = moved
        return pools

    def _is_late(self, pools: Pools) -> bool:
        """Return whether targets are missed: as with more workers, if that was simulated before."""
        if any(_has_no_more(pools, late) for late in self._late):
            return True
        late = self._lateness(pools, self._trace.through(pools, self.conditions)) > 1
        if late:
            self._late.append(pools)
        return late

    def _complaint(self, pools: Pools, outcome: Outcome) -> str:
        late = max(self.demand.kinds, key=lambda kind: outcome.lateness([kind]))
        devices = {queue: pool.device for pool in pools for queue in pool.queues}
        stages = ", ".join(
            f"{visit.queue} {visit.mean_s(devices[visit.queue]):.3g} s on {devices[visit.queue]}"
            for visit in late.visits
        )
        return (
            f'95 % of "{late.name}" within {late.p95_s:g} s cannot be had by more workers: its stages take {stages}; '
            "allow more time, or add a faster device"
        )


def _candidates(
    demand: Demand, devices: Mapping[str, Device], conditions: Conditions, queues: tuple[str, ...]
) -> list[Pool]:
    """List the pools for some queues, one for each device that can serve them, with the fewest workers that keep up."""
    visits = [visit for queue in queues for _, visit in demand.visits(queue)]
    by_queue = {visit.queue: visit.memory_bytes or 0 for visit in visits}
    pools = [
        Pool(queues, name, load(demand, queues, name, conditions).least_workers)
        for name, device in devices.items()
        if all(name in visit.seconds for visit in visits)
        if device.memory_bytes is None or sum(by_queue.values()) <= device.memory_bytes
    ]
    if not pools:
        raise NoPlan(
            f"no device has times and memory for {', '.join(queues)}; there are {', '.join(devices)}"
        )
    return pools


def _changed(pools: Pools, index: int, pool: Pool) -> Pools:
    return (*pools[:index], pool, *pools[index + 1 :])


def _has_no_more(pools: Pools, others: Pools) -> bool:
    """Return whether a line differs from another in nothing but having no more workers anywhere."""
    return len(pools) == len(others) and all(
        (pool.queues, pool.device) == (other.queues, other.device) and pool.workers <= other.workers
        for pool, other in zip(pools, others, strict=True)
    )


def _price(pools: Sequence[Pool], devices: Mapping[str, Device]) -> float:
    return sum(pool.workers * devices[pool.device].price for pool in pools)
