"""Quotas, the rate limit, the queue's limit, and turns between projects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import httpx
import pytest

from cascade.models.presets.table import StageKind
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import JobRequest

REQUEST = JobRequest("shapes", "a red circle", 7)
FIRST = StageKind.KEYFRAMES


@pytest.fixture(scope="module")
def tight_url(start_gateway: Callable[..., str]) -> str:
    """A gateway with small limits, that asks for keys."""
    return start_gateway(
        AUTH="on", MAX_ACTIVE_JOBS="5", MAX_ACTIVE_JOBS_PER_PROJECT="3", RATE_LIMIT_PER_MINUTE="8"
    )


@pytest.fixture
def as_key(as_key: Callable[..., httpx.Client], tight_url: str) -> Callable[[str], httpx.Client]:
    return partial(as_key, url=tight_url)


def post(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": "a red circle"})


def test_a_project_has_so_many_videos_under_way(
    as_key: Callable[[str], httpx.Client], finish: Callable[..., None], conveyor: Conveyor
) -> None:
    client = as_key("a")
    ids = [post(client).json()["id"] for _ in range(3)]
    refused = post(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert len(conveyor.jobs.page(10, project="a")[0]) == 3
    finish(ids[0])
    client.post(f"/v1/videos/{ids[1]}/cancel")
    client.delete(f"/v1/videos/{ids[2]}")
    assert [post(client).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_the_service_takes_so_many_in_all(as_key: Callable[[str], httpx.Client], conveyor: Conveyor) -> None:
    first, second = as_key("a"), as_key("b")
    assert [post(first).status_code for _ in range(3)] + [post(second).status_code for _ in range(2)] == [
        200
    ] * 5
    refused = post(second)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert len(conveyor.jobs.page(10, project="b")[0]) == 2


def test_a_key_makes_so_many_requests_a_minute(as_key: Callable[[str], httpx.Client]) -> None:
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


def test_projects_take_turns(conveyor: Conveyor) -> None:
    many = [conveyor.submit(REQUEST, "many").id for _ in range(5)]
    few = [conveyor.submit(REQUEST, "few").id for _ in range(2)]
    order = [conveyor.fair_queue.take(FIRST) for _ in range(8)]
    assert order == [many[0], few[0], many[1], few[1], many[2], many[3], many[4], None]
    assert conveyor.redis.llen(str(FIRST)) == 7  # one message for each job, whichever it will run


def test_a_latecomer_does_not_wait_for_all_who_came_before(conveyor: Conveyor) -> None:
    many = [conveyor.submit(REQUEST, "many").id for _ in range(50)]
    assert [conveyor.fair_queue.take(FIRST) for _ in range(10)] == many[:10]
    late = conveyor.submit(REQUEST, "late").id
    assert late in [conveyor.fair_queue.take(FIRST) for _ in range(2)]


def test_a_job_whose_worker_was_lost_before_it_began_is_found(conveyor: Conveyor) -> None:
    job_id = conveyor.submit(REQUEST).id
    assert conveyor.fair_queue.take(FIRST) == job_id
    conveyor.redis.zadd("cascade:leases", {f"{job_id}/{FIRST}": 0})
    assert conveyor.leases.expired() == [(job_id, FIRST)]
