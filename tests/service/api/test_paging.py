"""Lists of videos that hold while videos come and go, single models, and ids that none has."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from cascade.workers.job_queue import JobQueue
from cascade.workers.keys import deleted_key, job_key, jobs_key

PROMPT = "a red circle"


def create(client: httpx.Client) -> str:
    video_id: str = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    return video_id


def pages(client: httpx.Client, order: str = "desc", limit: int = 2) -> Iterator[list[str]]:
    params: dict[str, str | int] = {"order": order, "limit": limit}
    while True:
        page = client.get("/v1/videos", params=params).json()
        yield [video["id"] for video in page["data"]]
        if not page["has_more"]:
            return
        params["after"] = page["last_id"]


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_no_video_is_missed_or_shown_twice_while_others_come_and_go(order: str, client: httpx.Client) -> None:
    ids = [create(client) for _ in range(7)]
    expected = ids if order == "asc" else ids[::-1]
    listed: list[str] = []
    for page in pages(client, order):
        listed += page
        create(client)
        client.delete(f"/v1/videos/{page[-1]}")  # the one that the next page comes after
        client.delete(f"/v1/videos/{page[0]}")
        if len(listed) >= 7:
            break
    assert listed[:7] == expected


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_videos_of_the_same_moment_have_an_order_too(
    order: str, client: httpx.Client, job_queue: JobQueue
) -> None:
    ids = sorted(create(client) for _ in range(7))
    index = jobs_key("default")
    job_queue.jobs.redis.zadd(index, dict.fromkeys(ids, 1_700_000_000.25))
    listed: list[str] = []
    for page in pages(client, order):
        listed += page
        job_queue.jobs.delete(page[-1])
        job_queue.jobs.redis.zadd(deleted_key("default"), {page[-1]: 1_700_000_000.25})
    assert listed == (ids if order == "asc" else ids[::-1])


def test_a_page_of_records_that_are_gone_is_not_the_end(client: httpx.Client, job_queue: JobQueue) -> None:
    ids = [create(client) for _ in range(7)]
    for gone in ids[3:6]:
        job_queue.jobs.redis.delete(job_key(gone))
    assert [video for page in pages(client) for video in page] == [ids[6], *ids[2::-1]]
    for gone in ids:
        job_queue.jobs.redis.delete(job_key(gone))
    page = client.get("/v1/videos?limit=2").json()
    assert (page["data"], page["has_more"], page["last_id"]) == ([], False, None)


ODD_IDS = (
    *("video_0", "video_", "0", "nothing", "VIDEO_" + "0" * 32, "video_" + "A" * 32, "video_" + "0" * 33),
    *(
        "video_" + "0" * 31 + "g",
        "video_" + "0" * 32 + ":events",
        "x" * 200,
        "..%2f..%2fetc",
        "%20",
        "video_*",
    ),
    "video_" + "0" * 32,
)


def test_an_id_of_any_form_that_is_no_videos_is_not_found(client: httpx.Client) -> None:
    real = create(client)
    for odd in (*ODD_IDS, f"{real}:events", f"{real}%0a", real.upper(), real.removeprefix("video_")):
        answers = [
            client.get(f"/v1/videos/{odd}"),
            client.head(f"/v1/videos/{odd}"),
            client.delete(f"/v1/videos/{odd}"),
            client.get(f"/v1/videos/{odd}/content"),
            client.get(f"/v1/videos/{odd}/events"),
            client.get(f"/v1/videos/{odd}/deliveries"),
            client.post(f"/v1/videos/{odd}/cancel"),
            client.post(f"/v1/videos/{odd}/continue"),
            client.post(f"/v1/videos/{odd}/remix", json={}),
            client.get(f"/v1/videos?after={odd}"),
            client.post(f"/v1/ops/dead_letters/{odd}/replay"),
        ]
        statuses = {answer.status_code for answer in answers}
        assert statuses <= {404} | ({400} if odd.startswith("%") or "%0a" in odd else set()), (odd, statuses)


def test_a_model_is_shown_by_its_name(client: httpx.Client) -> None:
    [listed] = client.get("/v1/models").json()["data"]
    assert client.get("/v1/models/shapes").json() == listed
    assert client.head("/v1/models/shapes").status_code == 200
    for odd in ("sora-2", "show-1", "shapes.keyframes", "x" * 300, "%20"):
        answer = client.get(f"/v1/models/{odd}")
        assert answer.status_code in (404, 400), odd
    answer = client.get("/v1/models/sora-2")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "model")


@pytest.mark.parametrize("action", ["", "/remix", "/continue", "/cancel"])
def test_an_empty_idempotency_key_is_refused(action: str, client: httpx.Client, job_queue: JobQueue) -> None:
    path = f"/v1/videos/{create(client)}{action}" if action else "/v1/videos"
    for key in ("", "x" * 256):
        answer = client.post(
            path, json={"prompt": PROMPT} if action == "" else {}, headers={"Idempotency-Key": key}
        )
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "idempotency-key")
    assert len(job_queue.jobs.page(10)[0]) == (1 if action else 0)
