"""Heartbeats of workers."""

from __future__ import annotations

from cascade.workers.queue.heartbeat import Heartbeat, live_workers
from cascade.workers.servers import Servers


def test_live_workers_are_listed_until_they_stop(connected: Servers) -> None:
    queues = ("shapes.keyframes", "shapes.interpolation")
    heartbeat = Heartbeat(connected.redis, queues)
    heartbeat.start()
    assert [worker.state for worker in live_workers(connected.redis)] == ["loading"]
    heartbeat.set("busy", "video_1")
    (worker,) = live_workers(connected.redis)
    assert (worker.queues, worker.state, worker.job_id) == (queues, "busy", "video_1")
    assert worker.name.startswith("shapes.keyframes+shapes.interpolation@")
    heartbeat.stop()
    assert live_workers(connected.redis) == []
