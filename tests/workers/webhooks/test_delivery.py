"""Webhooks, delivered to a real server: signatures, retries and the log."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Failure, JobRequest
from cascade.workers.jobs.transitions import fail
from cascade.workers.keys import WEBHOOKS, WEBHOOKS_RUNNING
from cascade.workers.servers import Servers
from cascade.workers.webhooks.delivery import MAX_PER_PROJECT, Webhooks
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


def test_an_event_names_itself_and_what_it_is_about(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target()
    job_id = ended_job(job_queue, target.url)
    deliver_all(webhooks)
    ((headers, body),) = target.received
    event = json.loads(body)
    assert (event["object"], event["id"]) == ("event", headers["webhook-id"])
    assert (event["data"]["object"], event["data"]["id"]) == ("video", job_id)


def test_a_secret_that_is_replaced_signs_beside_the_new_one_for_a_day(
    job_queue: JobQueue, webhooks: Webhooks, start_target: StartTarget
) -> None:
    target = start_target()
    old = webhooks.secret("engines")
    secrets = webhooks.secrets.replace("engines")
    assert (secrets.current != old, secrets.previous, secrets.current) == (
        True,
        old,
        webhooks.secret("engines"),
    )
    assert 86_000 < secrets.previous_for_s <= 86_400
    ended_job(job_queue, target.url)
    deliver_all(webhooks)
    ((headers, body),) = target.received
    for secret in (old, secrets.current):
        assert Webhook(secret).verify(body, headers)["object"] == "event"
    assert webhooks.secrets.replace("engines").valid == (webhooks.secret("engines"), secrets.current)


def test_slow_targets_of_one_project_leave_room_for_another(
    job_queue: JobQueue, webhooks: Webhooks, connected: Servers, start_target: StartTarget
) -> None:
    """Twenty due messages of a project whose targets never answer, and one of another project behind them."""
    quick = start_target()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as slow, ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            ended_job(job_queue, f"http://127.0.0.1:{slow.getsockname()[1]}/")
        request = JobRequest("shapes", "a red circle", 7, webhook_url=quick.url)
        job_queue.cancel(job_queue.submit(request, "others").id)
        took = [threads.submit(Webhooks.of(connected).deliver_next) for _ in range(8)]
        assert sum(future.result(20) for future in took) == MAX_PER_PROJECT + 1
    assert len(quick.received) == 1
    assert connected.redis.zcard(WEBHOOKS_RUNNING) == 0
