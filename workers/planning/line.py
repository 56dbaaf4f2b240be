"""A line: the devices that workers run on, the pools of workers, and what the line does beside running stages."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """A kind of device, of which each worker has one.

    Attributes:
        price: of an hour, in any currency.
        memory_bytes: for the stages of a worker; None where that does not matter.
    """

    name: str
    price: float
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Pool:
    """Workers that serve the same queues on the same kind of device."""

    queues: tuple[str, ...]
    device: str
    workers: int


@dataclass(frozen=True)
class Conditions:
    """What happens in a line beside its stages.

    Attributes:
        handoff_s: from the moment when a stage waits and a worker is free, to the stage's start.
        lease_s, max_attempts: as the settings of the same names.
        worker_life_s: how long a worker lives on average until it is lost.
        restart_s: from a worker's loss until another works in its place.
    """

    handoff_s: float = 0.05
    lease_s: float = 30.0
    max_attempts: int = 3
    worker_life_s: float = math.inf
    restart_s: float = 120.0

    @property
    def availability(self) -> float:
        """Return which part of the time a worker is there, 0 to 1."""
        return 1.0 if math.isinf(self.worker_life_s) else 1 / (1 + self.restart_s / self.worker_life_s)

    def work_s(self, seconds: float) -> float:
        """Return how long a worker is busy on average with a stage that takes `seconds`, runs that are lost included."""
        needed = self.handoff_s + seconds
        if math.isinf(self.worker_life_s):
            return needed
        return self.worker_life_s * math.expm1(min(needed / self.worker_life_s, 50.0))
