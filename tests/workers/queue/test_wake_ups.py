"""Wake-ups are messages that say nothing, and may be lost."""

from __future__ import annotations

import json
from dataclasses import replace

from cascade.workers.job_queue import JobQueue
from cascade.workers.queue.wake_ups import WakeUps
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import QUEUE, REQUEST


def test_a_wake_up_names_no_job(job_queue: JobQueue) -> None:
    job_queue.submit(REQUEST)
    message = json.loads(job_queue.jobs.redis.lindex(QUEUE, 0))
    assert message["headers"]["task"] == "cascade.run_next"
    assert (message["headers"]["argsrepr"], message["headers"]["kwargsrepr"]) == ("()", "{}")


def test_a_job_whose_wake_up_cannot_be_sent_waits_all_the_same(
    job_queue: JobQueue, settings: Settings
) -> None:
    nowhere = settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")})
    mute = WakeUps(job_queue.jobs.redis, Servers.connect(nowhere).celery)
    job = replace(job_queue, wake_ups=mute).submit(REQUEST)
    assert job_queue.jobs.redis.llen(QUEUE) == 0
    lease = job_queue.waiting.take((QUEUE,), "worker")
    assert lease is not None
    assert lease.job_id == job.id
