"""Wake-ups are messages that say nothing, and may be lost."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial

import pytest
from kombu import Consumer, Message, Queue

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.transitions import complete_stage, start_stage
from cascade.workers.queue.wake_ups import WAKE_UP, WakeUps
from cascade.workers.servers import Servers
from tests.workers.examples import OUTPUT, QUEUE, REQUEST, STAGES


def test_a_wake_up_names_no_job(job_queue: JobQueue) -> None:
    job_queue.submit(REQUEST)
    message = json.loads(job_queue.jobs.redis.lindex(QUEUE, 0))
    assert message == {"headers": {"task": "cascade.run_next"}}


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",
        "[" * 100_000,
        "[1, 2]",
        '{"headers": {"task": ["x"]}, "body": "", "properties": {}}',
        '{"headers": {"task": "x.y", "id": "1"}, "body": "", "properties": {"delivery_tag": "1", "delivery_info": {}}}',
    ],
)
def test_a_message_that_is_no_wake_up_is_dropped(message: str | bytes, connected: Servers) -> None:
    assert received(connected, message) == []


@pytest.mark.parametrize(
    "headers", [{}, {"id": ["x"]}, {"id": "x", "eta": 5, "timelimit": "x", "expires": []}]
)
def test_a_wake_up_is_what_celery_knows_whoever_wrote_it(
    headers: dict[str, object], connected: Servers
) -> None:
    content = json.dumps({"headers": {"task": "cascade.run_next", **headers}, "body": 5})
    (message,) = received(connected, content if headers else WAKE_UP)
    assert set(message.headers) == {"lang", "task", "id", "root_id"}
    assert isinstance(message.headers["id"], str)
    assert message.decode() == [[], {}, {}]


def received(connected: Servers, content: str | bytes) -> list[Message]:
    """What a worker is handed of a message in its queue."""
    messages: list[Message] = []
    connected.redis.lpush(QUEUE, content)
    with connected.celery.connection() as connection:
        consumer = Consumer(
            connection, [Queue(QUEUE, no_ack=True)], accept=["json"], on_message=messages.append
        )
        with consumer, suppress(TimeoutError):
            connection.drain_events(timeout=0.3)
    assert connected.redis.llen(QUEUE) == 0
    return messages


def test_a_job_whose_wake_up_is_lost_waits_all_the_same(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    job_queue.jobs.redis.delete(QUEUE)
    lease = job_queue.waiting.take((QUEUE,), "worker")
    assert lease is not None
    assert lease.job_id == job.id


def test_a_stage_waits_with_its_wake_up_from_the_same_moment_on(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    assert job_queue.jobs.redis.llen(QUEUE) == 1
    for stage in STAGES[:2]:
        job_queue.jobs.update(job.id, partial(start_stage, stage=stage, worker="w", now=1.0))
        job_queue.jobs.update(job.id, partial(complete_stage, stage=stage, output=OUTPUT, now=2.0))
    assert [job_queue.jobs.redis.llen(f"shapes.{stage}") for stage in STAGES] == [1, 1, 1, 0]
    WakeUps(job_queue.jobs.redis).balance([f"shapes.{stage}" for stage in STAGES])
    assert [job_queue.jobs.redis.llen(f"shapes.{stage}") for stage in STAGES] == [0, 0, 1, 0]
