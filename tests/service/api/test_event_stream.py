"""Live progress as server-sent events over a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Failure

PROMPT = "a red circle"
FIRST = "keyframes"
OTHERS = ("interpolation", "super-resolution", "expert-translation")

Finish = Callable[..., None]
Later = Callable[..., None]
Events = list[tuple[str, str, dict[str, Any]]]
"""(id, type, data) of each event."""


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def events_of(client: httpx.Client, video_id: str, after: str | None = None) -> Events:
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"/v1/videos/{video_id}/events", headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(read_events(answer.iter_lines()))


@pytest.fixture
def video_id(client: httpx.Client) -> str:
    created: str = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    return created


def test_events_report_every_step_and_end_with_the_video(
    client: httpx.Client, job_queue: JobQueue, finish: Finish, later: Later, video_id: str
) -> None:
    def work() -> None:
        job_queue.jobs.update(video_id, lambda job: transitions.start_stage(job, FIRST, "worker-1", 1.0))
        job_queue.jobs.update(video_id, lambda job: transitions.advance_stage(job, FIRST, 1, 20))
        job_queue.jobs.update(video_id, lambda job: transitions.requeue_stage(job, FIRST))
        finish(video_id)

    later(0.5, work)
    events = events_of(client, video_id)
    assert [(name, data.get("stage")) for _, name, data in events[:6]] == [
        ("video.queued", None),
        ("stage.started", "keyframes"),
        ("stage.progress", "keyframes"),
        ("stage.requeued", "keyframes"),
        ("stage.started", "keyframes"),
        ("stage.completed", "keyframes"),
    ]
    assert events[2][2] == {"stage": "keyframes", "step": 1, "steps": 20}
    assert [name for _, name, _ in events].count("stage.completed") == 4
    assert events[-1][1] == "video.completed"


def test_a_listener_goes_on_where_it_was_cut_off(client: httpx.Client, finish: Finish, video_id: str) -> None:
    finish(video_id)
    whole = events_of(client, video_id)
    for cut in (0, 3, len(whole) - 2):
        assert events_of(client, video_id, after=whole[cut][0]) == whole[cut + 1 :]
    for wrong in ("yesterday", "1-", "-1", "1-1-1"):
        answer = client.get(f"/v1/videos/{video_id}/events", headers={"Last-Event-ID": wrong})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "last-event-id")


def test_failing_cancelling_and_deleting_end_the_stream(client: httpx.Client, job_queue: JobQueue) -> None:
    ids = [client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"] for _ in range(3)]
    ends: dict[str, Events] = {}

    def listen(video_id: str) -> None:
        ends[video_id] = events_of(client, video_id)

    threads = [threading.Thread(target=listen, args=(video_id,)) for video_id in ids]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    job_queue.jobs.update(
        ids[0], lambda job: transitions.fail(job, Failure("stage_failed", "no weights", FIRST), 1.0)
    )
    client.post(f"/v1/videos/{ids[1]}/cancel")
    client.delete(f"/v1/videos/{ids[2]}")
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert ends[ids[0]][-1][1:] == (
        "video.failed",
        {"id": ids[0], "status": "failed", "error": {"code": "stage_failed", "message": "no weights"}},
    )
    assert ends[ids[1]][-1][1] == "video.cancelled"
    assert ends[ids[2]][-1][1] == "video.queued"
    assert client.get(f"/v1/videos/{ids[2]}/events").status_code == 404


def test_a_continued_draft_sends_further_events(client: httpx.Client, finish: Finish, later: Later) -> None:
    created = client.post("/v1/videos", json={"prompt": PROMPT, "stop_after": "keyframes"})
    video_id = created.json()["id"]
    finish(video_id, FIRST)
    draft = events_of(client, video_id)
    assert draft[-1][1] == "video.completed"
    client.post(f"/v1/videos/{video_id}/continue")
    later(0.3, finish, video_id, *OTHERS)
    rest = events_of(client, video_id, after=draft[-1][0])
    assert (rest[0][1], rest[-1][1]) == ("video.queued", "video.completed")
