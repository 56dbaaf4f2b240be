"""Supervises child processes: starts them in order, restarts those that die, stops them in reverse order.

No library does this inside one foreground process: honcho stops all when one dies, supervisord is a daemon with
a configuration of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
BACKOFF_S = (0.5, 1, 2, 5, 10)
STEADY_S = 60

LIBC = ctypes.CDLL(None)


class StartFailed(Exception):
    """A child did not become ready."""


@dataclass(frozen=True)
class Child:
    """A process to keep alive.

    Attributes:
        is_ready: asked until it is true, before the next child starts.
        grace_s: how long it may take to stop before it is killed.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    ready_within_s: float = 120.0
    grace_s: float = 10.0


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Keeps children running; `say` is called with what happens, in words for people."""

    say: Callable[[str], None]
    _running: list[_Running] = field(default_factory=list)

    def start(self, child: Child) -> None:
        """Start a child and wait until it is ready. Raises StartFailed with the end of its log."""
        self.spawn(child)
        self.wait_ready(child)

    def spawn(self, child: Child) -> None:
        """Start a child without waiting."""
        self._running.append(_Running(child, _popen(child), time.monotonic()))

    def wait_ready(self, child: Child) -> None:
        deadline = time.monotonic() + child.ready_within_s
        running = next(running for running in self._running if running.child is child)
        while not child.is_ready():
            code = running.process.poll()
            if code is not None or time.monotonic() > deadline:
                reason = f"ended with code {code}" if code is not None else "did not become ready in time"
                raise StartFailed(f"{child.name} {reason}; its log {child.log} ends:\n{_tail(child.log)}")
            time.sleep(0.1)

    def watch(self) -> None:
        """Restart the children that have died; call it again and again."""
        now = time.monotonic()
        for running in self._running:
            if running.restart_at is not None:
                if now >= running.restart_at:
                    running.process, running.started_at = _popen(running.child), now
                    running.restart_at = None
                continue
            code = running.process.poll()
            if code is None:
                continue
            steady = now - running.started_at > STEADY_S
            running.deaths = 0 if steady else running.deaths + 1
            wait_s = BACKOFF_S[min(running.deaths, len(BACKOFF_S) - 1)]
            running.restart_at = now + wait_s
            self.say(f"{running.child.name} died ({_reason(code)}); restarting it in {wait_s:g} s")

    def pids(self) -> dict[str, int]:
        """Return process ids by name."""
        return {running.child.name: running.process.pid for running in self._running}

    def stop(self) -> None:
        """Stop all in reverse order of their start; one that takes longer than its grace is killed."""
        while self._running:
            running = self._running.pop()
            process = running.process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(running.child.grace_s)
                except subprocess.TimeoutExpired:
                    self.say(f"{running.child.name} takes too long to stop; killing it")
                    process.kill()
                    process.wait()


def _popen(child: Child) -> subprocess.Popen[bytes]:
    child.log.parent.mkdir(parents=True, exist_ok=True)
    with child.log.open("ab") as log:
        return subprocess.Popen(
            child.argv,
            env=os.environ | child.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops all in order
            preexec_fn=_die_with_parent,
        )


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
