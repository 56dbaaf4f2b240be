"""A simulation of the line as it is, event by event.

Every queue has a list of waiting stages, in which projects take turns (`queue/take_stage.lua`). Workers serve the queues
of their pool, one stage at a time. A worker that is lost leaves its stage to its lease: when that has run out, the stage
waits again, and begins anew, until its attempts are used up.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import simpy

from cascade.workers.planning.demand import Arrival, Kind, Visit, percentile
from cascade.workers.planning.line import Conditions, Pool

Events = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Loss:
    """A worker of a pool, counted from 0, that is lost at a given time, beside those that chance takes."""

    at: float
    pool: int


@dataclass(frozen=True)
class Sample:
    """A look at the line: how many stages wait in each queue, and how many workers each pool has at the moment."""

    at: float
    waiting: Mapping[str, int]
    workers: tuple[int, ...]


@dataclass
class Latencies:
    """The jobs of a kind, as they ended.

    Attributes:
        arrived: seconds after the start.
        seconds: from arrival to end; infinite for a job that failed.
    """

    arrived: array[float] = field(default_factory=lambda: array("d"))
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def percentile(self, share: float) -> float:
        """Return the time within which `share` of the jobs were done; NaN of none."""
        return percentile(sorted(self.seconds), share)


@dataclass(frozen=True)
class Outcome:
    """What a simulation saw.

    Attributes:
        by_kind: the jobs that count, by the name of their kind.
        ended_at: when the last job ended, in seconds after the start.
        busy: for each pool, which part of its workers' time went into stages, 0 to 1.
        waited_s: for each queue, the mean time in its list.
        lost_workers: how many were lost.
        samples: looks at the line, if asked for.
    """

    by_kind: Mapping[str, Latencies]
    ended_at: float
    busy: tuple[float, ...]
    waited_s: Mapping[str, float]
    lost_workers: int
    samples: Sequence[Sample]

    @property
    def failed(self) -> int:
        """Count the jobs that failed."""
        return sum(math.isinf(value) for kind in self.by_kind.values() for value in kind.seconds)

    def lateness(self, kinds: Iterable[Kind]) -> float:
        """Return the largest ratio of a kind's 95 % latency to its target: at most 1 where all are met.

        A kind so rare that none came does not count.
        """
        came = [kind for kind in kinds if kind.name in self.by_kind]
        return max((self.by_kind[kind.name].percentile(0.95) / kind.p95_s for kind in came), default=0.0)


def simulate(
    arrivals: Iterable[Arrival],
    pools: Sequence[Pool],
    conditions: Conditions,
    *,
    seed: int = 0,
    count_from_s: float = 0.0,
    sample_every_s: float | None = None,
    losses: Sequence[Loss] = (),
) -> Outcome:
    """Let jobs through a line, until the last has ended.

    Args:
        arrivals: in the order of their times; every queue that they visit must have a pool.
        seed: decides when workers are lost; the jobs bring their own draws.
        count_from_s: jobs that arrive earlier fill the line, and do not count.
        sample_every_s: how often to look at the line; None is never.
    """
    line = _Line(pools, conditions, random.Random(seed), count_from_s)  # noqa: S311
    for loss in losses:
        line.plan_loss(loss)
    return line.run(iter(arrivals), sample_every_s)


@dataclass(slots=True, eq=False)
class _Job:
    arrival: Arrival
    number: int
    position: int = 0
    attempts: int = 0
    waits_since: float = 0.0

    @property
    def visit(self) -> Visit:
        return self.arrival.kind.visits[self.position]


class WaitingList:
    """The stages that wait in a queue: the project whose last turn is longest ago goes first, with its oldest job."""

    def __init__(self) -> None:
        self._turns: dict[str, float] = {}  # in the order of the turns
        self._jobs: dict[str, list[tuple[float, int, _Job]]] = {}
        self.length = 0
        self.taken, self.waited_s = 0, 0.0

    @property
    def last_turn(self) -> float:
        """Return when the project that is next had its last turn; infinite if nothing waits."""
        return next(iter(self._turns.values()), math.inf)

    def put(self, job: _Job, now: float) -> None:
        """Let a job's stage wait."""
        project = job.arrival.project
        heappush(self._jobs.setdefault(project, []), (job.arrival.at, job.number, job))
        self._turns.setdefault(project, now)
        self.length += 1
        job.waits_since = now

    def take(self, now: float) -> _Job:
        """Take the job whose turn it is."""
        project = next(iter(self._turns))
        job = heappop(self._jobs[project])[2]
        del self._turns[project]
        if self._jobs[project]:
            self._turns[project] = now
        self.length -= 1
        self.taken += 1
        self.waited_s += now - job.waits_since
        return job


@dataclass(eq=False)
class _Crew:
    """The workers of a pool; those that are idle wait for an event each."""

    pool: Pool
    lists: tuple[WaitingList, ...]
    idle: deque[tuple[float, simpy.Event]] = field(default_factory=deque)
    busy_s: float = 0.0
    workers: list[_Worker] = field(default_factory=list)

    @property
    def up(self) -> int:
        """Count the workers that are there."""
        return sum(worker.up for worker in self.workers)

    def take(self, now: float) -> _Job | None:
        """Take the stage of its queues whose turn it is."""
        chosen = self.lists[0]
        if len(self.lists) > 1:
            chosen = min(self.lists, key=lambda waiting: waiting.last_turn)
        return chosen.take(now) if chosen.length else None


@dataclass(eq=False)
class _Worker:
    crew: _Crew
    process: simpy.Process | None = None
    up: bool = True
    job: _Job | None = None
    since: float = 0.0
    woken_by: simpy.Event | None = None


class _Line:
    def __init__(
        self, pools: Sequence[Pool], conditions: Conditions, draw: random.Random, count_from_s: float
    ) -> None:
        self.env = simpy.Environment()
        self.conditions, self.draw, self.count_from_s = conditions, draw, count_from_s
        queues = dict.fromkeys(queue for pool in pools for queue in pool.queues)
        self.lists = {queue: WaitingList() for queue in queues}
        self.crews = [_Crew(pool, tuple(self.lists[queue] for queue in pool.queues)) for pool in pools]
        self.serving = {queue: [crew for crew in self.crews if queue in crew.pool.queues] for queue in queues}
        self.by_kind: dict[str, Latencies] = {}
        self.open, self.lost_workers = 1, 0  # the stream of arrivals is open, too
        self.all_ended = self.env.event()
        self.samples: list[Sample] = []
        for crew in self.crews:
            crew.workers += [self._employ(crew) for _ in range(crew.pool.workers)]

    def run(self, arrivals: Iterator[Arrival], sample_every_s: float | None) -> Outcome:
        self.env.process(self._arrive(arrivals))
        if sample_every_s is not None:
            self.env.process(self._sample(sample_every_s))
        self.env.run(until=self.all_ended)
        now = self.env.now
        return Outcome(
            by_kind=self.by_kind,
            ended_at=now,
            busy=tuple(crew.busy_s / (now * crew.pool.workers) for crew in self.crews),
            waited_s={queue: each.waited_s / max(each.taken, 1) for queue, each in self.lists.items()},
            lost_workers=self.lost_workers,
            samples=self.samples,
        )

    # Jobs

    def _arrive(self, arrivals: Iterator[Arrival]) -> Events:
        for number, arrival in enumerate(arrivals):
            yield self.env.timeout(arrival.at - self.env.now)
            self.open += 1
            self._wait(_Job(arrival, number))
        self._close()

    def _wait(self, job: _Job) -> None:
        queue = job.visit.queue
        self.lists[queue].put(job, self.env.now)
        self._wake(queue)

    def _wake(self, queue: str) -> None:
        crews = [crew for crew in self.serving[queue] if crew.idle]
        if crews:
            longest_idle = min(crews, key=lambda crew: crew.idle[0][0])
            longest_idle.idle.popleft()[1].succeed()

    def _end(self, job: _Job, *, failed: bool) -> None:
        arrival = job.arrival
        if arrival.at >= self.count_from_s:
            latencies = self.by_kind.setdefault(arrival.kind.name, Latencies())
            latencies.arrived.append(arrival.at)
            latencies.seconds.append(math.inf if failed else self.env.now - arrival.at)
        self._close()

    def _close(self) -> None:
        self.open -= 1
        if not self.open:
            self.all_ended.succeed()

    # Workers

    def _employ(self, crew: _Crew) -> _Worker:
        worker = _Worker(crew)
        worker.process = self.env.process(self._work(worker))
        if not math.isinf(self.conditions.worker_life_s):
            self.env.process(self._threaten(worker))
        return worker

    def _work(self, worker: _Worker) -> Events:
        while True:
            try:
                yield from self._serve(worker)
            except simpy.Interrupt:
                self._leave(worker)
                yield self.env.timeout(self.conditions.restart_s)
                worker.up = True

    def _serve(self, worker: _Worker) -> Events:
        env, crew, handoff_s, device = (
            self.env,
            worker.crew,
            self.conditions.handoff_s,
            worker.crew.pool.device,
        )
        while True:
            job = crew.take(env.now)
            if job is None:
                worker.woken_by = env.event()
                crew.idle.append((env.now, worker.woken_by))
                yield worker.woken_by
                worker.woken_by = None
                continue
            worker.job, worker.since = job, env.now
            job.attempts += 1
            yield env.timeout(handoff_s + job.visit.drawn(device, job.arrival.draws[job.position]))
            worker.job = None
            crew.busy_s += env.now - worker.since
            self._advance(job)

    def _advance(self, job: _Job) -> None:
        job.position += 1
        job.attempts = 0
        if job.position == len(job.arrival.kind.visits):
            self._end(job, failed=False)
        else:
            self._wait(job)

    # Losses

    def plan_loss(self, loss: Loss) -> None:
        """Let a worker of a pool be lost at a given time, if one is there."""
        self.env.process(self._lose_later(loss))

    def _lose_later(self, loss: Loss) -> Events:
        yield self.env.timeout(loss.at)
        there = [worker for worker in self.crews[loss.pool].workers if worker.up]
        if there:
            self._lose(there[0])

    def _threaten(self, worker: _Worker) -> Events:
        while True:
            yield self.env.timeout(self.draw.expovariate(1 / self.conditions.worker_life_s))
            if worker.up:
                self._lose(worker)

    def _lose(self, worker: _Worker) -> None:
        assert worker.process is not None
        worker.up = False
        self.lost_workers += 1
        worker.process.interrupt()

    def _leave(self, worker: _Worker) -> None:
        """Leave the stage of a worker that was lost to its lease, and its wake-up, if it had one, to others."""
        crew, event = worker.crew, worker.woken_by
        if worker.job is not None:
            crew.busy_s += self.env.now - worker.since
            self.env.process(self._recover(worker.job))
        elif event is not None and event.triggered:
            for queue in crew.pool.queues:
                self._wake(queue)
        elif event is not None:
            crew.idle = deque(entry for entry in crew.idle if entry[1] is not event)
        worker.job = worker.woken_by = None

    def _recover(self, job: _Job) -> Events:
        """Let a stage wait again when its lease, which was renewed every third of it, has run out."""
        yield self.env.timeout(self.conditions.lease_s * self.draw.uniform(2 / 3, 1))
        if job.attempts >= self.conditions.max_attempts:
            self._end(job, failed=True)
        else:
            self._wait(job)

    def _sample(self, every_s: float) -> Events:
        while True:
            waiting = {queue: each.length for queue, each in self.lists.items()}
            self.samples.append(Sample(self.env.now, waiting, tuple(crew.up for crew in self.crews)))
            yield self.env.timeout(every_s)
