"""Lists of videos by words of the prompt, status and model: pages are full, and nothing else is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.codec import dump_job
from cascade.workers.jobs.listing import entry_of
from cascade.workers.jobs.record import Failure, Job, JobRequest, JobStatus
from cascade.workers.keys import job_key, jobs_key, listing_key
from cascade.workers.servers import Servers

Finish = Callable[..., None]


def create(client: httpx.Client, prompt: str, **fields: object) -> str:
    answer = client.post("/v1/videos", json={"prompt": prompt, **fields})
    assert answer.status_code == 200, answer.text
    video_id: str = answer.json()["id"]
    return video_id


def search(client: httpx.Client, **params: Any) -> list[str]:
    """All ids that a search finds, page after page; every page but the last is full."""
    limit, ids, after = params.pop("limit", 2), [], None
    while True:
        answer = client.get(
            "/v1/videos", params={**params, "limit": limit, **({"after": after} if after else {})}
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [video["id"] for video in page["data"]]
        if not page["has_more"]:
            return ids
        assert len(page["data"]) == limit
        after = page["last_id"]


def test_a_part_of_the_prompt_is_found_in_any_case_and_spacing(client: httpx.Client) -> None:
    red = create(client, "A RED\n  Circle moving right")
    accented = create(client, "a caf\u00e9 at night")
    create(client, "a blue square")
    assert search(client, q="red circle") == [red]
    assert search(client, q=" Red  CIRCLE ") == [red]
    assert search(client, q="CAFE\u0301") == [accented]  # the letter and its accent as two characters
    assert search(client, q="d c") == [red]
    for nothing in ("green", "%", ".*", "[a-z]", "red circle moving right and"):
        assert search(client, q=nothing) == []
    assert len(search(client, q="  ")) == 3


def test_statuses_are_given_several_times_or_with_commas(client: httpx.Client, finish: Finish) -> None:
    queued, completed, cancelled = (create(client, "a red circle") for _ in range(3))
    finish(completed)
    client.post(f"/v1/videos/{cancelled}/cancel")
    assert search(client, status="completed") == [completed]
    assert search(client, status="queued,cancelled") == [cancelled, queued]
    assert search(client, status=["queued", "cancelled,completed"]) == [cancelled, completed, queued]
    assert search(client, status=["queued", "completed"], order="asc") == [queued, completed]
    assert search(client, status="failed") == []


def test_a_video_is_found_under_the_status_that_it_has_now(
    client: httpx.Client, job_queue: JobQueue, finish: Finish
) -> None:
    draft = create(client, "a red circle", stop_after="keyframes")
    failed = create(client, "a red circle")
    statuses = []
    for change in (
        lambda: None,
        lambda: finish(draft, "keyframes"),
        lambda: client.post(f"/v1/videos/{draft}/continue"),
        lambda: finish(draft, "interpolation"),
        lambda: client.post(f"/v1/videos/{draft}/cancel"),
    ):
        change()
        (status,) = [status for status in JobStatus if draft in search(client, status=status)]
        statuses.append(str(status))
    assert statuses == ["queued", "completed", "queued", "in_progress", "cancelled"]
    start = partial(transitions.start_stage, stage="keyframes", worker="w", now=1.0)
    job_queue.jobs.update(failed, start)
    job_queue.jobs.update(failed, partial(transitions.fail, failure=Failure("x", "y", "keyframes"), now=2.0))
    assert search(client, status="failed") == [failed]
    job_queue.replay(failed)
    assert search(client, status="in_progress") == [failed]


def test_filters_work_together_and_with_remixes(client: httpx.Client, finish: Finish) -> None:
    red, blue = create(client, "a red circle"), create(client, "a blue circle")
    finish(red)
    remix = client.post(f"/v1/videos/{red}/remix", json={"prompt": "a green circle"}).json()["id"]
    assert search(client, q="circle", status="queued", model="shapes") == [remix, blue]
    assert search(client, q="green", status="queued") == [remix]
    assert search(client, q="circle", model="show-1") == []


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"q": "x" * 201}, "q", "200"),
        ({"status": "done"}, "status.0", 'there is no status "done"; choose from queued'),
        ({"status": "queued,"}, "status.0", 'there is no status ""'),
        ({"model": "nothing"}, "model", 'there is no preset "nothing"'),
    ],
)
def test_a_filter_that_cannot_be_is_refused_by_name(
    params: Mapping[str, str], field: str, words: str, client: httpx.Client
) -> None:
    answer = client.get("/v1/videos", params=params)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert error["detail"].startswith(words) or words in error["detail"]


def test_deleted_and_foreign_videos_are_not_found(
    as_key: Callable[..., httpx.Client], connected: Servers
) -> None:
    mine, theirs = as_key("a"), as_key("b")
    deleted, stays, foreign = (
        create(mine, "a red circle"),
        create(mine, "a red circle"),
        create(theirs, "a red circle"),
    )
    mine.delete(f"/v1/videos/{deleted}")
    assert (search(mine, q="circle"), search(theirs, q="circle")) == ([stays], [foreign])
    assert connected.redis.hkeys(listing_key("a")) == [stays.encode()]
    mine.delete(f"/v1/videos/{stays}")
    assert connected.redis.exists(listing_key("a")) == 0
    assert mine.get("/v1/videos", params={"q": "circle", "after": stays}).json()["data"] == []


def many(servers: Servers, template: Job, count: int, *, listed: bool = True) -> list[Job]:
    """Jobs that alternate between two prompts; every fiftieth has failed, the others are completed."""
    jobs = [
        replace(
            template,
            id=f"video_{number:032x}",
            created_at=1000.0 + number,
            finished_at=2000.0 + number,
            status=JobStatus.COMPLETED if number % 50 else JobStatus.FAILED,
            request=replace(
                template.request, prompt=f"a {('red', 'blue')[number % 2]} circle number {number}"
            ),
        )
        for number in range(count)
    ]
    with servers.redis.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.set(job_key(job.id), dump_job(job))
            pipe.zadd(jobs_key(job.project), {job.id: job.created_at})
            if listed:
                pipe.hset(listing_key(job.project), job.id, entry_of(job))
        pipe.execute()
    return jobs


def test_among_five_thousand_videos_a_search_is_quick_and_its_pages_are_full(
    client: httpx.Client, job_queue: JobQueue, connected: Servers
) -> None:
    template = job_queue.submit(JobRequest("shapes", "a green square", 7))
    jobs = many(connected, template, 5000)
    failed = [job.id for job in reversed(jobs) if job.status is JobStatus.FAILED]
    assert search(client, status="failed", limit=30) == failed
    assert search(client, status="failed", limit=30, order="asc") == failed[::-1]
    assert search(client, q="blue circle number 4999") == [jobs[4999].id]
    seconds: dict[str, float] = {}
    for name, params in {
        "rare status": {"status": "failed"},
        "common word": {"q": "blue"},
        "the oldest": {"q": "number 0"},
        "nothing": {"q": "a purple star"},
        "all three": {"q": "red", "status": "completed", "model": "shapes"},
    }.items():
        times = []
        for _ in range(15):
            started = time.perf_counter()
            assert client.get("/v1/videos", params={**params, "limit": 20}).status_code == 200
            times.append(time.perf_counter() - started)
        seconds[name] = min(times)
    assert max(seconds.values()) < 0.1, seconds


def test_videos_of_an_earlier_version_are_found_and_entered(
    client: httpx.Client, job_queue: JobQueue, connected: Servers
) -> None:
    template = job_queue.submit(JobRequest("shapes", "a green square", 7))
    jobs = many(connected, template, 300, listed=False)
    failed = [job.id for job in reversed(jobs) if job.status is JobStatus.FAILED]
    assert search(client, status="failed") == failed
    assert connected.redis.hlen(listing_key("default")) == 301
    stale = jobs[1]
    connected.redis.hset(listing_key("default"), stale.id, entry_of(replace(stale, status=JobStatus.FAILED)))
    assert stale.id not in search(client, status="failed")


def test_a_page_is_full_although_records_are_gone(client: httpx.Client, connected: Servers) -> None:
    ids = [create(client, "a red circle") for _ in range(9)]
    for gone in (ids[8], ids[6], ids[5]):
        connected.redis.delete(job_key(gone))
    expected = [ids[7], *ids[4::-1]]
    assert search(client, q="red", limit=4) == expected
    assert search(client, limit=4) == expected
