"""Webhooks, delivered to a real server: signatures, retries and the log."""

from __future__ import annotations

import socket
import time

import openai
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Failure, JobRequest
from cascade.workers.jobs.transitions import fail
from cascade.workers.keys import WEBHOOKS
from cascade.workers.servers import Servers
from cascade.workers.webhooks.delivery import Webhooks
from tests.workers.webhooks.target import StartTarget


@pytest.fixture
def webhooks(connected: Servers) -> Webhooks:
    return Webhooks.of(connected)


def ended_job(job_queue: JobQueue, url: str) -> str:
    request = JobRequest("shapes", "a red circle", 7, webhook_url=url, metadata={"order": "42"})
    job = job_queue.submit(request, "engines")
    job_queue.cancel(job.id)
    return job.id


def deliver_all(webhooks: Webhooks) -> None:
    while webhooks.deliver_next():
        pass


def test_the_end_of_a_video_is_sent_once_and_signed(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target()
    job_id = ended_job(job_queue, target.url)
    deliver_all(webhooks)
    ((headers, body),) = target.received
    secret = webhooks.secret("engines")
    message = Webhook(secret).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("video.cancelled", job_id)
    assert message["data"]["metadata"] == {"order": "42"}
    assert b"red circle" not in body
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.secret("others")).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"42", b"43"), headers)
    (delivery,) = webhooks.log(job_id)
    assert (delivery.status_code, delivery.attempt, delivery.taken) == (200, 1, True)


def test_openais_sdk_unwraps_what_is_sent(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target()
    ended_job(job_queue, target.url)
    deliver_all(webhooks)
    ((headers, body),) = target.received
    client = openai.OpenAI(api_key="unused", webhook_secret=webhooks.secret("engines"))
    event: object = client.webhooks.unwrap(body, headers)  # the SDK's types leave out videos
    assert getattr(event, "type", None) == "video.cancelled"


def test_a_failure_is_sent_with_its_reason(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target()
    job = job_queue.submit(JobRequest("shapes", "a red circle", 7, webhook_url=target.url))
    job_queue.jobs.update(job.id, lambda job: fail(job, Failure("stage_failed", "no memory"), time.time()))
    deliver_all(webhooks)
    ((headers, body),) = target.received
    message = Webhook(webhooks.secret("default")).verify(body, headers)
    assert message["data"]["error"] == {"code": "stage_failed", "message": "no memory"}


def test_a_message_is_sent_again_with_the_same_id_until_it_is_taken(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target(500, 302, 204, location="/elsewhere")
    job_id = ended_job(job_queue, target.url)
    deliver_all(webhooks)
    assert [delivery.status_code for delivery in webhooks.log(job_id)] == [500, 302, 204]
    assert len({headers["webhook-id"] for headers, _ in target.received}) == 1


def test_waits_double_between_attempts(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    webhooks.settings = webhooks.settings.model_copy(update={"webhook_backoff_s": 60.0})
    job_id = ended_job(job_queue, start_target(500).url)
    for wait_s in (60, 120, 240):
        assert webhooks.deliver_next()
        assert not webhooks.deliver_next()
        due = webhooks.redis.zscore(WEBHOOKS, job_id)
        assert wait_s - 5 < due - time.time() <= wait_s
        webhooks.redis.zadd(WEBHOOKS, {job_id: 0})


@pytest.mark.parametrize(("codes", "attempts"), [((500,), 8), ((410,), 1)])
def test_a_message_is_given_up_after_the_last_attempt_or_where_the_target_is_gone(
    codes: tuple[int, ...], attempts: int, job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target(*codes)
    ended_job(job_queue, target.url)
    deliver_all(webhooks)
    assert len(target.received) == attempts
    assert webhooks.redis.zcard(WEBHOOKS) == 0


def test_a_target_that_cannot_be_reached_is_logged(job_queue: JobQueue, webhooks: Webhooks) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        job_id = ended_job(job_queue, url)
        webhooks.deliver_next()
    assert "ConnectError" in str(webhooks.log(job_id)[0].error)
