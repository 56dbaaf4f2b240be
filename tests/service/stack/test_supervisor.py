"""Child processes: restarted when they die, stopped all at once."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cascade.service.stack.supervisor import Child, StartFailed, Supervisor


def sleeper(name: str, folder: Path, script: str = "import time; time.sleep(600)") -> Child:
    return Child(name, (sys.executable, "-c", script), {}, folder / f"{name}.log")


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_child_that_dies_is_restarted_and_the_user_hears_of_it(tmp_path: Path) -> None:
    messages: list[str] = []
    supervisor = Supervisor(messages.append)
    supervisor.start(sleeper("redis", tmp_path))
    first = supervisor.pids()["redis"]
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        supervisor.watch()
        return supervisor.pids()["redis"] != first

    wait_until(is_back)
    second = supervisor.pids()["redis"]
    assert "redis died (signal SIGKILL)" in messages[0]
    supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def stoppable(name: str, folder: Path, stop: str, *, is_server: bool = False, grace_s: float = 10.0) -> Child:
    """A child that writes its name when it is told to stop, and then does what `stop` says."""
    script = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_):\n"
        f"    with open({str(folder / 'order')!r}, 'a') as file: file.write({name!r} + ' ')\n"
        f"    {stop}\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"pathlib.Path({str(folder / name)!r}).touch()\n"
        "time.sleep(600)\n"
    )
    argv = (sys.executable, "-c", script)
    log = folder / f"{name}.log"
    return Child(name, argv, {}, log, (folder / name).exists, grace_s=grace_s, is_server=is_server)


def test_all_stop_at_once_and_servers_after_those_that_need_them(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    slow = "time.sleep(1.2); sys.exit(0)"
    for name in ("redis", "s3"):
        supervisor.spawn(stoppable(name, tmp_path, "sys.exit(0)", is_server=True))
    workers = [stoppable(f"worker-{number}", tmp_path, slow) for number in range(5)]
    for worker in workers:
        supervisor.spawn(worker)
    for name in ("redis", "s3", *(worker.name for worker in workers)):
        wait_until((tmp_path / name).exists)
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 4.5  # one after another: 6 s
    order = (tmp_path / "order").read_text().split()
    assert sorted(order[:5]) == [worker.name for worker in workers]
    assert sorted(order[5:]) == ["redis", "s3"]


def test_one_that_does_not_stop_is_killed_and_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    messages: list[str] = []
    supervisor = Supervisor(messages.append)
    supervisor.start(stoppable("deaf", tmp_path, "pass", grace_s=0.5))
    supervisor.start(stoppable("suspended", tmp_path, "sys.exit(0)"))
    pids = supervisor.pids()
    os.kill(pids["suspended"], signal.SIGSTOP)
    supervisor.stop()
    assert messages == ["deaf takes too long to stop; killing it"]
    assert sorted((tmp_path / "order").read_text().split()) == ["deaf", "suspended"]
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_all_children_killed_at_once_are_started_again_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    for number in range(8):
        supervisor.spawn(sleeper(f"child-{number}", tmp_path))
    killed = supervisor.pids()
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def are_back() -> bool:
        supervisor.watch()
        return not set(killed.values()) & set(supervisor.pids().values())

    started = time.monotonic()
    wait_until(are_back)
    assert time.monotonic() - started < 5
    supervisor.stop()


def test_one_that_keeps_dying_is_restarted_after_growing_waits(tmp_path: Path) -> None:
    messages: list[str] = []
    supervisor = Supervisor(messages.append)
    supervisor.spawn(sleeper("worker", tmp_path, "raise SystemExit(3)"))

    def died_three_times() -> bool:
        supervisor.watch()
        return len(messages) == 3

    wait_until(died_three_times)
    supervisor.stop()
    waits = ("now", "in 0.5 s", "in 1 s")
    assert messages == [f"worker died (code 3); restarting it {wait}" for wait in waits]


def test_one_that_cannot_be_started_for_now_does_not_end_the_supervisor(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    messages: list[str] = []
    supervisor = Supervisor(messages.append)
    supervisor.spawn(Child("s3", (str(program),), {}, tmp_path / "log"))
    program.chmod(0)
    program.rename(tmp_path / "away")
    os.kill(supervisor.pids()["s3"], signal.SIGKILL)

    def noticed() -> bool:
        supervisor.watch()
        return len(messages) == 2

    wait_until(noticed)
    assert "s3 cannot be started" in messages[1]
    supervisor.stop()


def test_what_a_child_writes_is_its_owners_alone(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    done = tmp_path / "done"
    script = (
        f"import pathlib; pathlib.Path({str(done)!r}).touch(); pathlib.Path({str(tmp_path / 'x')!r}).mkdir()"
    )
    supervisor.spawn(Child("worker", (sys.executable, "-c", script), {}, tmp_path / "logs" / "worker.log"))
    wait_until((tmp_path / "x").is_dir)
    supervisor.stop()
    for path in (done, tmp_path / "x", tmp_path / "logs", tmp_path / "logs" / "worker.log"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_child_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    child = Child(
        "redis",
        (sys.executable, "-c", "print('port is taken')"),
        {},
        tmp_path / "log",
        is_ready=lambda: False,
    )
    with pytest.raises(StartFailed, match=r"code 0(.|\n)*port is taken"):
        supervisor.start(child)
