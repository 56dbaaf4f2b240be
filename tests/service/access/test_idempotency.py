"""Requests sent twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cascade.service.stack.embedded import Credentials
from cascade.workers.job_queue import JobQueue
from tests.workers.lossy_proxy import LossyProxy, lossy_proxy

Finish = Callable[..., None]

PROMPT = "a red circle"


def post(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": PROMPT}, headers=headers)


def test_a_request_sent_fifty_times_at_once_makes_one_video(gateway_url: str, job_queue: JobQueue) -> None:
    def send(_: int) -> httpx.Response:
        return httpx.post(
            f"{gateway_url}/v1/videos",
            json={"prompt": PROMPT},
            headers={"Idempotency-Key": "once"},
            timeout=30,
        )

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(job_queue.jobs.page(100)[0]) == 1
    assert job_queue.waiting.count("shapes.keyframes") == 1


def test_a_key_with_another_request_is_a_conflict(client: httpx.Client, job_queue: JobQueue) -> None:
    first = post(client, headers={"Idempotency-Key": "mine"}).json()["id"]
    other = client.post("/v1/videos", json={"prompt": "a blue square"}, headers={"Idempotency-Key": "mine"})
    assert other.status_code == 409
    assert post(client, headers={"Idempotency-Key": "mine"}).json()["id"] == first
    assert len(job_queue.jobs.page(10)[0]) == 1
    ttl_s = job_queue.jobs.redis.ttl(next(job_queue.jobs.redis.scan_iter(match="cascade:idempotency:*")))
    assert 86_000 < ttl_s <= 86_400


def test_a_refused_request_does_not_use_its_key_up(client: httpx.Client) -> None:
    bad = client.post("/v1/videos", json={"prompt": " "}, headers={"Idempotency-Key": "again"})
    assert bad.status_code == 422
    assert post(client, headers={"Idempotency-Key": "again"}).status_code == 200


def test_projects_do_not_share_idempotency_keys(as_key: Callable[..., httpx.Client]) -> None:
    ids = {post(as_key(project), headers={"Idempotency-Key": "same"}).json()["id"] for project in ("a", "b")}
    assert len(ids) == 2


@pytest.fixture
def lossy(
    start_gateway: Callable[..., str], servers: Credentials
) -> Iterator[tuple[httpx.Client, LossyProxy]]:
    """A gateway whose connection to Redis breaks where it is told to."""
    with lossy_proxy(servers.redis_port) as proxy:
        url = start_gateway(REDIS_URL=servers.redis_url.replace(str(servers.redis_port), str(proxy.port)))
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client, proxy


def test_a_request_whose_connection_to_redis_broke_is_carried_out_once(
    lossy: tuple[httpx.Client, LossyProxy], job_queue: JobQueue, finish: Finish
) -> None:
    client, proxy = lossy

    def send_twice(path: str, **body: object) -> httpx.Response:
        proxy.lose_next(b"EVALSHA")
        headers = {"Idempotency-Key": path}
        answers = [client.post(path, json=body, headers=headers) for _ in range(2)]
        answer = answers[1]
        assert answer.status_code == 200, answer.text
        assert answers[0].status_code in (200, 503)
        assert answers[0].status_code == 503 or answers[0].json()["id"] == answer.json()["id"]
        return answer

    post(client, headers={})  # the script is known to the server from here on
    draft = send_twice("/v1/videos", prompt=PROMPT, stop_after="keyframes").json()["id"]
    finish(draft, "keyframes")
    assert send_twice(f"/v1/videos/{draft}/continue").json()["id"] == draft
    remix = send_twice(f"/v1/videos/{draft}/remix", prompt="a blue square", from_stage="interpolation")
    assert send_twice(f"/v1/videos/{draft}/cancel").json()["status"] == "cancelled"
    assert proxy.lost == 4
    assert sorted(job_queue.jobs.open_jobs()) != []
    assert {job.id for job in job_queue.jobs.page(100)[0]} > {draft, remix.json()["id"]}
    assert len(job_queue.jobs.page(100)[0]) == 3


def test_a_key_of_a_deleted_video_answers_at_once(client: httpx.Client) -> None:
    video_id = post(client, headers={"Idempotency-Key": "gone"}).json()["id"]
    client.delete(f"/v1/videos/{video_id}")
    started = time.monotonic()
    assert post(client, headers={"Idempotency-Key": "gone"}).status_code == 404
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_is_refused(key: str, client: httpx.Client) -> None:
    assert post(client, headers={"Idempotency-Key": key}).status_code == 422
