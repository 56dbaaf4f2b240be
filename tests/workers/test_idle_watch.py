"""A worker that takes no wake-ups although it is idle ends, so that another is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cascade.workers import idle_watch
from cascade.workers.idle_watch import DEAF, IdleWatch
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import QUEUE

WORKER = """
import signal, sys, time
from cascade.workers.idle_watch import IdleWatch
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

servers = Servers.connect(Settings())
heartbeat = Heartbeat(servers.redis, (sys.argv[1],))
heartbeat.set(sys.argv[2])
if sys.argv[3] == "stuck":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
IdleWatch(servers.redis, heartbeat, deaf_after_s=0.5).start()
time.sleep(3 if sys.argv[2] == "busy" else 60)
"""


def test_a_machine_that_stood_still_is_not_deaf(connected: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    connected.redis.lpush(QUEUE, "a wake-up that came meanwhile")
    heartbeat = Heartbeat(connected.redis, (QUEUE,))
    heartbeat.set("ready")
    watch = IdleWatch(connected.redis, heartbeat, deaf_after_s=0.25)
    ends: list[bool] = []
    looks = iter((False, False, True))

    def stand_still(_: float) -> bool:
        time.sleep(0.2)
        return next(looks)

    monkeypatch.setattr(idle_watch, "INTERVAL_S", 0.1)
    monkeypatch.setattr(watch._stop, "wait", stand_still)
    monkeypatch.setattr(watch, "_end", lambda: ends.append(True))
    watch._watch()
    assert ends == []


@pytest.mark.parametrize(
    ("state", "how", "code"),
    [("ready", "soft", -signal.SIGTERM), ("ready", "stuck", DEAF), ("busy", "soft", 0)],
)
def test_a_deaf_worker_ends_and_a_busy_one_does_not(
    state: str, how: str, code: int, connected: Servers, settings: Settings
) -> None:
    connected.redis.lpush(QUEUE, "a wake-up that nobody takes")
    env = os.environ | {"CASCADE_REDIS_URL": settings.redis_url.get_secret_value()}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, QUEUE, state, how],
        env=env,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert done.returncode == code, done.stderr.decode()
