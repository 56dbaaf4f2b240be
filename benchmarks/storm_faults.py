"""The faults of a storm: processes are killed, suspended and held down, drawn from a seeded generator."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from storm_stack import StormStack

SERVERS = ("redis", "s3")
PAUSE_S = (1.0, 8.0)
LONGEST_S = 30.0


@dataclass
class Faults:
    """A thread that breaks one thing after another until it is told to stop.

    Attributes:
        counts: how often each fault happened, by its kind and process.
    """

    stack: StormStack
    seed: int
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, with every process running again."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.random.uniform(*PAUSE_S)):
            draw = self.random.random()
            if draw < 0.5:
                self._kill(self.random.choice(sorted(self.stack.pids()) or ["gateway"]))
            elif draw < 0.55:
                self._kill_all()
            elif draw < 0.75:
                self._suspend(self.random.choice(SERVERS))
            elif draw < 0.9:
                self._hold_down(self.random.choice(SERVERS))
            else:
                self._suspend(self.random.choice([name for name in self.stack.pids() if name not in SERVERS]))

    def _seconds(self) -> float:
        """Draw how long a fault lasts, short ones more often."""
        return float(1 + (LONGEST_S - 1) * self.random.random() ** 2)

    def _kill(self, name: str) -> None:
        self._signal(name, signal.SIGKILL)
        self._count("kill", name)

    def _kill_all(self) -> None:
        for name in self.stack.pids():
            self._signal(name, signal.SIGKILL)
        self._count("kill", "all")

    def _suspend(self, name: str) -> None:
        """Freeze a process for a while: it takes connections and answers nothing."""
        pid = self.stack.pids().get(name)
        if pid is None:
            return
        self._count("suspend", name)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._stop.wait(self._seconds())
            os.kill(pid, signal.SIGCONT)

    def _hold_down(self, name: str) -> None:
        """Kill a server whenever it comes back, for a while: connections to it are refused."""
        self._count("hold down", name)
        until = time.monotonic() + self._seconds()
        while time.monotonic() < until and not self._stop.is_set():
            self._signal(name, signal.SIGKILL)
            time.sleep(0.1)

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self.stack.pids().get(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _count(self, kind: str, name: str) -> None:
        self.counts[f"{kind} {name}"] = self.counts.get(f"{kind} {name}", 0) + 1
