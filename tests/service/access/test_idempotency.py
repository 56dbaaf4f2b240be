"""Requests sent twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from cascade.workers.job_queue import JobQueue

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
