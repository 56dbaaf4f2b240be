"""Live progress as server-sent events over a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import torch

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Failure
from cascade.workers.keys import events_key, preview_key
from cascade.workers.previews import Preview, PreviewSender
from cascade.workers.queue.lease import Lease
from cascade.workers.servers import Servers

PROMPT = "a red circle"
FIRST = "keyframes"
OTHERS = ("interpolation", "super-resolution", "expert-translation")

Finish = Callable[..., None]
Later = Callable[..., None]
Event = tuple[str, str, dict[str, Any]]
"""(id, type, data); a preview has no id."""

Events = list[Event]


def read_events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def follow(client: httpx.Client, video_id: str, after: str | None = None) -> Iterator[Event]:
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"/v1/videos/{video_id}/events", headers=headers, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield from read_events(answer.iter_lines())


def events_of(client: httpx.Client, video_id: str, after: str | None = None) -> Events:
    return list(follow(client, video_id, after))


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


ODD_IDS = (
    *("", "0-0", "yesterday", "1-", "-1", "1-1-1", "$", "+", "(1-1", "²-1", "1-1"),
    *(
        "99999999999999-0",
        "18446744073709551616-0",
        "9" * 300,
        "9" * 30 + "-0",
        "18446744073709551615-18446744073709551615",
    ),
)


def test_after_an_id_that_is_none_of_its_own_a_video_sends_all_events(
    client: httpx.Client, finish: Finish, video_id: str
) -> None:
    finish(video_id)
    whole = events_of(client, video_id)
    other = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    client.post(f"/v1/videos/{other}/cancel")
    of_another = events_of(client, other)[0][0]
    for odd in (*ODD_IDS, of_another):
        with client.stream(
            "GET", f"/v1/videos/{video_id}/events", headers={b"Last-Event-ID": odd.encode()}, timeout=20
        ) as answer:
            assert answer.status_code == 200, odd
            assert list(read_events(answer.iter_lines())) == whole, odd


def test_what_has_ended_is_connected_to_no_more(
    client: httpx.Client, job_queue: JobQueue, connected: Servers, finish: Finish
) -> None:
    ids = [client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"] for _ in range(3)]
    finish(ids[0])
    job_queue.jobs.update(
        ids[1], lambda job: transitions.fail(job, Failure("stage_failed", "no weights", FIRST), 1.0)
    )
    client.post(f"/v1/videos/{ids[2]}/cancel")
    for video_id in ids:
        path = f"/v1/videos/{video_id}/events"
        whole = events_of(client, video_id)
        answer = client.get(path, headers={"Last-Event-ID": whole[-1][0]}, timeout=5)
        assert (answer.status_code, answer.content) == (204, b"")
        connected.redis.delete(events_key(video_id))  # they expire before a record may
        for headers in ({}, {"Last-Event-ID": whole[0][0]}):
            assert client.get(path, headers=headers, timeout=5).status_code == 204


def test_a_waiting_video_whose_events_have_expired_is_listened_to(
    client: httpx.Client, connected: Servers, finish: Finish, later: Later, video_id: str
) -> None:
    connected.redis.delete(events_key(video_id))
    later(0.3, finish, video_id)
    assert events_of(client, video_id)[-1][1] == "video.completed"


def test_a_stream_says_when_to_connect_again(client: httpx.Client, finish: Finish, video_id: str) -> None:
    finish(video_id)
    with client.stream("GET", f"/v1/videos/{video_id}/events", timeout=20) as answer:
        lines = list(answer.iter_lines())
        headers = answer.headers
    assert lines.count("retry: 1000") == 1
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


def test_failing_cancelling_and_deleting_end_the_stream(client: httpx.Client, job_queue: JobQueue) -> None:
    ids = [client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"] for _ in range(3)]
    ends: dict[str, Events] = {video_id: [] for video_id in ids}

    def listen(video_id: str) -> None:
        for event in follow(client, video_id):
            ends[video_id].append(event)

    threads = [threading.Thread(target=listen, args=(video_id,)) for video_id in ids]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not all(ends.values()):  # each begins with what happened so far
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job_queue.jobs.update(
        ids[0], lambda job: transitions.fail(job, Failure("stage_failed", "no weights", FIRST), 1.0)
    )
    client.post(f"/v1/videos/{ids[1]}/cancel")
    client.delete(f"/v1/videos/{ids[2]}")
    for thread in threads:
        thread.join(60)
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


@pytest.fixture
def running(job_queue: JobQueue, video_id: str) -> Lease:
    """The lease of a worker that runs the first stage of the video."""
    lease = job_queue.waiting.take((f"shapes.{FIRST}",), "worker-1-1")
    assert lease is not None
    job_queue.jobs.update(video_id, lambda job: transitions.start_stage(job, FIRST, "worker-1", 1.0))
    return lease


def show(servers: Servers, lease: Lease, step: int) -> bool:
    frames = torch.full((4, 16, 24, 3), 10 * step, dtype=torch.uint8)
    return PreviewSender(servers.redis).send(Preview(lease, FIRST, step, 20, frames, 2))


def test_previews_come_between_events_and_a_latecomer_gets_the_newest(
    client: httpx.Client, connected: Servers, running: Lease, finish: Finish, later: Later, video_id: str
) -> None:
    assert all(show(connected, running, step) for step in (4, 8))
    begun = threading.Event()

    def go_on() -> None:
        begun.wait(10)
        show(connected, running, 12)
        time.sleep(0.3)
        finish(video_id)

    later(0, go_on)
    events: Events = []
    for event in follow(client, video_id):
        events.append(event)
        if event[1] == "preview":
            begun.set()
    previews = [(event_id, data) for event_id, name, data in events if name == "preview"]
    assert [(data["stage"], data["step"], data["steps"]) for _, data in previews] == [
        (FIRST, 8, 20),
        (FIRST, 12, 20),
    ]
    assert {event_id for event_id, _ in previews} == {""}
    assert previews[0][1]["image"].startswith("data:image/webp;base64,UklGR")  # RIFF
    assert [name for _, name, _ in events][:3] == ["video.queued", "stage.started", "preview"]
    assert events[-1][1] == "video.completed"
    assert connected.redis.get(preview_key(video_id)) is None
    assert not show(connected, running, 16)  # by a worker that has not noticed
    assert "preview" not in [name for _, name, _ in events_of(client, video_id)]
