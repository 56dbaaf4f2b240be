"""Child processes: restarted when they die, stopped in order."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cascade.service.stack.supervisor import Child, StartFailed, Supervisor


def sleeper(name: str, folder: Path, script: str = "import time; time.sleep(600)") -> Child:
    return Child(name, (sys.executable, "-c", script), {}, folder / f"{name}.log")


def test_a_child_that_dies_is_restarted_and_the_user_hears_of_it(tmp_path: Path) -> None:
    messages: list[str] = []
    supervisor = Supervisor(messages.append)
    supervisor.start(sleeper("redis", tmp_path))
    first = supervisor.pids()["redis"]
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while supervisor.pids()["redis"] == first and time.monotonic() < deadline:
        supervisor.watch()
        time.sleep(0.05)
    second = supervisor.pids()["redis"]
    assert second != first
    assert "redis died (signal SIGKILL)" in messages[0]
    supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = (
        "import signal, sys, time, pathlib\n"
        "def stop(*_):\n"
        f"    with open({str(order)!r}, 'a') as file: file.write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path(sys.argv[2]).touch()\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(lambda _: None)
    for name in ("redis", "s3", "gateway"):
        ready = tmp_path / f"{name}.ready"
        argv = (sys.executable, "-c", script, name, str(ready))
        supervisor.start(Child(name, argv, {}, tmp_path / f"{name}.log", is_ready=ready.exists))
    supervisor.stop()
    assert order.read_text().split() == ["gateway", "s3", "redis"]


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
