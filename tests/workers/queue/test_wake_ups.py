"""Wake-ups are messages that say nothing, and may be lost."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from kombu import Consumer, Message, Queue

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
    (message,) = received(
        connected, json.dumps({"headers": {"task": "cascade.run_next", **headers}, "body": 5})
    )
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
