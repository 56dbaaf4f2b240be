"""What is asked of a line: kinds of jobs, how often they come, and how long their stages take."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True)
class Visit:
    """A stage on the way of a job.

    Attributes:
        queue: such as `preset.stage`.
        seconds: by device, times from a worker's start of the stage to its end; one of them is drawn for each job.
        memory_bytes: what a worker holds on its device for the stage; None where that is not known.
    """

    queue: str
    seconds: Mapping[str, tuple[float, ...]]
    memory_bytes: int | None = None

    def drawn(self, device: str, draw: float) -> float:
        """Return the time on a device for a draw in [0, 1)."""
        times = self.seconds[device]
        return times[int(draw * len(times))]

    def mean_s(self, device: str) -> float:
        """Return the mean time on a device."""
        times = self.seconds[device]
        return sum(times) / len(times)

    def variance(self, device: str) -> float:
        """Return the variance of the time on a device, in square seconds."""
        mean = self.mean_s(device)
        times = self.seconds[device]
        return sum((time - mean) ** 2 for time in times) / len(times)


@dataclass(frozen=True)
class Kind:
    """Jobs of the same way through the line: a preset's videos of a size, its drafts that go no further, its remixes.

    Attributes:
        weight: how many of this kind come, in proportion to the others'.
        p95_s: within this, 95 % of its jobs are to be done, from their arrival on.
    """

    name: str
    weight: float
    p95_s: float
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class Bursts:
    """A time of more arrivals that comes again and again.

    Attributes:
        factor: how many times as many come as between bursts, 1 or more.
        length_s, every_s: how long a burst is, and from the start of one to the next.
    """

    factor: float
    length_s: float
    every_s: float

    @property
    def mean_factor(self) -> float:
        """Return how many times as many come on average as between bursts."""
        return 1 + (self.factor - 1) * self.length_s / self.every_s


@dataclass(frozen=True)
class Demand:
    """All that is asked of a line.

    Attributes:
        per_second: jobs, on average, bursts included.
        projects: between how many the jobs are spread evenly.
    """

    kinds: tuple[Kind, ...]
    per_second: float
    bursts: Bursts | None = None
    projects: int = 1

    @property
    def queues(self) -> tuple[str, ...]:
        """List the queues that jobs go through."""
        return tuple(dict.fromkeys(visit.queue for kind in self.kinds for visit in kind.visits))

    def share(self, kind: Kind) -> float:
        """Return which part of the jobs is of a kind, 0 to 1."""
        return kind.weight / sum(each.weight for each in self.kinds)

    def visits(self, queue: str) -> list[tuple[float, Visit]]:
        """List the visits to a queue, each with how often it comes, per second."""
        return [
            (self.per_second * self.share(kind), visit)
            for kind in self.kinds
            for visit in kind.visits
            if visit.queue == queue
        ]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that comes.

    Attributes:
        at: seconds after the start.
        draws: for each visit a number in [0, 1) that decides its time.
    """

    at: float
    kind: Kind
    project: str
    draws: tuple[float, ...]


def draw_arrivals(demand: Demand, jobs: int, seed: int) -> Iterator[Arrival]:
    """Draw jobs that come independently of each other (a Poisson process); the same seed gives the same jobs."""
    draw = random.Random(seed)  # noqa: S311
    weights = [kind.weight for kind in demand.kinds]
    times = _arrival_times(demand, draw)
    for _ in range(jobs):
        (kind,) = draw.choices(demand.kinds, weights)
        project = f"project-{draw.randrange(demand.projects)}"
        yield Arrival(next(times), kind, project, tuple(draw.random() for _ in kind.visits))


def _arrival_times(demand: Demand, draw: random.Random) -> Iterator[float]:
    """Yield times; those of bursts come by stretching time, each cycle beginning with its calm part."""
    at = 0.0
    while True:
        at += draw.expovariate(demand.per_second)
        yield at if demand.bursts is None else _stretched(at, demand.bursts)


def _stretched(at: float, bursts: Bursts) -> float:
    """Move a time of an even stream to where a stream with bursts has had as many arrivals."""
    cycles, rest = divmod(at, bursts.every_s)
    arrived = rest * bursts.mean_factor  # in units of the calm rate
    calm_s = bursts.every_s - bursts.length_s
    inside = arrived if arrived <= calm_s else calm_s + (arrived - calm_s) / bursts.factor
    return cycles * bursts.every_s + inside


def percentile(ordered: list[float], share: float) -> float:
    """Return the value that `share` of the ordered values do not exceed; NaN of none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan
