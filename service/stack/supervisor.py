"""Supervises child processes: starts them in order, restarts those that die, stops all at once, servers last.

No library does this inside one foreground process: honcho stops all when one dies, supervisord is a daemon with
a configuration of its own. What the children write belongs to their owner alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
BACKOFF_S = (0.0, 0.5, 1, 2, 5)
STEADY_S = 60
POLL_S = 0.05
PRIVATE_UMASK = 0o077
PRIVATE_FILE = 0o600

LIBC = ctypes.CDLL(None)


class StartFailed(Exception):
    """A child did not become ready."""


@dataclass(frozen=True)
class Child:
    """A process to keep alive.

    Attributes:
        is_ready: asked until it is true, before the next child starts.
        grace_s: how long it may take to stop before it is killed.
        is_server: other children need it: it is told to stop when they have ended.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    ready_within_s: float = 120.0
    grace_s: float = 10.0
    is_server: bool = False


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
            if running.restart_at is None and running.process.poll() is not None:
                self._schedule_restart(running, now)
            if running.restart_at is not None and now >= running.restart_at:
                self._restart(running, now)

    def _schedule_restart(self, running: _Running, now: float) -> None:
        steady = now - running.started_at > STEADY_S
        wait_s = BACKOFF_S[0 if steady else min(running.deaths, len(BACKOFF_S) - 1)]
        running.deaths = 1 if steady else running.deaths + 1
        running.restart_at = now + wait_s
        when = f"in {wait_s:g} s" if wait_s else "now"
        self.say(f"{running.child.name} died ({_reason(running.process.returncode)}); restarting it {when}")

    def _restart(self, running: _Running, now: float) -> None:
        try:
            running.process, running.started_at = _popen(running.child), now
        except OSError as error:  # no memory, no space, too many processes: for now
            running.restart_at = now + BACKOFF_S[-1]
            self.say(f"{running.child.name} cannot be started: {error}; trying again in {BACKOFF_S[-1]:g} s")
        else:
            running.restart_at = None

    def pids(self) -> dict[str, int]:
        """Return process ids by name."""
        return {running.child.name: running.process.pid for running in self._running}

    def stop(self) -> None:
        """Stop all at once, servers after the others; one that takes longer than its grace is killed."""
        running, self._running = self._running, []
        self._stop_all([each for each in running if not each.child.is_server])
        self._stop_all([each for each in running if each.child.is_server])

    def _stop_all(self, group: Sequence[_Running]) -> None:
        started = time.monotonic()
        alive = [each for each in group if each.process.poll() is None]
        for each in alive:
            each.process.send_signal(signal.SIGTERM)
            each.process.send_signal(signal.SIGCONT)  # a suspended one hears it too
        while alive := [each for each in alive if each.process.poll() is None]:
            for each in alive:
                if time.monotonic() - started > each.child.grace_s:
                    self.say(f"{each.child.name} takes too long to stop; killing it")
                    each.process.kill()
                    each.process.wait()
            time.sleep(POLL_S)


def _popen(child: Child) -> subprocess.Popen[bytes]:
    child.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(child.log, "ab", opener=_open_private) as log:
        return subprocess.Popen(
            child.argv,
            env=os.environ | child.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops all in order
            preexec_fn=_die_with_parent,
            umask=PRIVATE_UMASK,
        )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(code: int) -> str:
    names = {number.value: number.name for number in signal.Signals}  # real-time signals have none
    return f"code {code}" if code >= 0 else f"signal {names.get(-code, -code)}"


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
