"""The rate limit, quotas, and the limit of the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from cascade.workers.job_queue import JobQueue


@pytest.fixture(scope="module")
def tight_url(start_gateway: Callable[..., str]) -> str:
    """A gateway with small limits, that asks for keys."""
    return start_gateway(
        AUTH="on",
        MAX_ACTIVE_JOBS="5",
        MAX_ACTIVE_JOBS_PER_PROJECT="3",
        RATE_LIMIT_PER_MINUTE="8",
        MAX_EVENT_STREAMS_PER_KEY="2",
        REQUEST_RATE_LIMIT_PER_MINUTE="60",
    )


@pytest.fixture
def as_key(as_key: Callable[..., httpx.Client], tight_url: str) -> Callable[[str], httpx.Client]:
    return partial(as_key, url=tight_url)


def post(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": "a red circle"})


def test_a_project_has_a_quota_of_videos_under_way(
    as_key: Callable[[str], httpx.Client], finish: Callable[..., None], job_queue: JobQueue
) -> None:
    client = as_key("a")
    ids = [post(client).json()["id"] for _ in range(3)]
    refused = post(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert len(job_queue.jobs.page(10, project="a")[0]) == 3
    finish(ids[0])
    client.post(f"/v1/videos/{ids[1]}/cancel")
    client.delete(f"/v1/videos/{ids[2]}")
    assert [post(client).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_the_service_has_a_limit_of_videos_under_way(
    as_key: Callable[[str], httpx.Client], job_queue: JobQueue
) -> None:
    first, second = as_key("a"), as_key("b")
    assert [post(first).status_code for _ in range(3)] + [post(second).status_code for _ in range(2)] == [
        200
    ] * 5
    refused = post(second)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert len(job_queue.jobs.page(10, project="b")[0]) == 2


def test_a_key_has_a_rate_limit(as_key: Callable[[str], httpx.Client]) -> None:
    client, other = as_key("a"), as_key("a")
    answers = []
    for _ in range(9):
        answers.append(post(client))
        if answers[-1].status_code == 200:
            client.delete(f"/v1/videos/{answers[-1].json()['id']}")
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:3]] == ["7", "6", "5"]
    limited = answers[-1]
    assert (limited.headers["ratelimit-limit"], limited.json()["error"]["code"]) == (
        "8",
        "rate_limit_exceeded",
    )
    assert 0 < int(limited.headers["retry-after"]) <= 60
    assert post(other).status_code == 200
    assert client.get("/v1/videos").status_code == 200


def test_a_key_may_have_so_many_open_event_streams(as_key: Callable[[str], httpx.Client]) -> None:
    client, other = as_key("a"), as_key("a")
    path = f"/v1/videos/{post(client).json()['id']}/events"
    with client.stream("GET", path) as first, client.stream("GET", path) as second:
        assert (first.status_code, second.status_code) == (200, 200)
        refused = client.get(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) > 0
        with other.stream("GET", path) as third:
            assert third.status_code == 200
    deadline, status = time.monotonic() + 10, 429
    while status == 429:  # until the gateway knows that the streams are closed
        assert time.monotonic() < deadline
        time.sleep(0.25)
        with client.stream("GET", path) as again:
            status = again.status_code
    assert status == 200


def test_reads_have_a_limit_apart_from_writes(as_key: Callable[[str], httpx.Client]) -> None:
    client, other = as_key("a"), as_key("a")
    statuses: list[int] = []
    while 429 not in statuses:
        assert len(statuses) < 65  # the window slides in steps: one or two more may pass
        refused = client.get("/v1/videos")
        statuses.append(refused.status_code)
    assert len(statuses) > 60
    assert (refused.headers["ratelimit-limit"], refused.json()["error"]["code"]) == (
        "60",
        "rate_limit_exceeded",
    )
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert post(client).status_code == 200
    assert other.get("/v1/videos").status_code == 200
