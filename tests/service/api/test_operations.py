"""The operator's view, webhooks as clients see them, and prompts in logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from cascade.models.presets.table import get_preset
from cascade.service.access.api_keys import Scope
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.codec import dump_job
from cascade.workers.jobs.record import Failure, JobRequest
from cascade.workers.keys import OPEN, job_key
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers
from cascade.workers.webhooks.delivery import Webhooks

PROMPT = "a rather secret circle"


def create(client: httpx.Client, **fields: object) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": PROMPT, **fields})


def test_operators_see_queues_workers_and_videos_of_all_projects_but_no_prompts(
    as_key: Callable[..., httpx.Client], job_queue: JobQueue, connected: Servers
) -> None:
    first, second = (create(as_key(project)).json()["id"] for project in ("a", "b"))
    heartbeat = Heartbeat(connected.redis, ("shapes.keyframes",))
    name = heartbeat.worker.name
    assert job_queue.waiting.take(("shapes.keyframes",), f"{name}-1") is not None
    job_queue.jobs.update(first, lambda job: transitions.start_stage(job, "keyframes", name, 5.0))
    job_queue.jobs.update(first, lambda job: transitions.advance_stage(job, "keyframes", 3, 20))
    heartbeat.set("busy", first)
    operator = as_key("operations", Scope.ADMIN)
    answer = operator.get("/v1/ops")
    state = answer.json()
    assert [queue["queue"] for queue in state["queues"]] == list(get_preset("shapes").queues)
    assert state["queues"][0] == {
        "queue": "shapes.keyframes",
        "model": "shapes",
        "stage": "keyframes",
        "title": "Keyframes",
        "waiting": 1,
        "running": 1,
        "done_last_hour": 0,
        "workers": 1,
        "busy": 1,
    }
    [worker] = state["workers"]
    assert (worker["queues"], worker["state"], worker["video_id"]) == (["shapes.keyframes"], "busy", first)
    assert (worker["queue"], worker["stage"], worker["title"]) == (
        "shapes.keyframes",
        "keyframes",
        "Keyframes",
    )
    assert (worker["since"], worker["step"], worker["steps"]) == (5.0, 3, 20)
    assert [(video["id"], video["project"]) for video in state["videos"]] == [(first, "a"), (second, "b")]
    stage = state["videos"][0]["stages"][0]
    assert (stage["name"], stage["title"], stage["started_at"]) == ("keyframes", "Keyframes", 5.0)
    assert "secret" not in answer.text
    assert state["videos"][0]["prompt"] is None


def test_operators_see_prompts_and_clips_of_their_own_project(
    as_key: Callable[..., httpx.Client], job_queue: JobQueue, finish: Callable[..., None]
) -> None:
    own, foreign = as_key("a"), as_key("b")
    running, other, failed = (create(client).json()["id"] for client in (own, foreign, own))
    finish(running, "keyframes")
    finish(other, "keyframes")
    failure = Failure("stage_failed", "no memory", "keyframes")
    job_queue.jobs.update(failed, lambda job: transitions.start_stage(job, "keyframes", "w", 5.0))
    job_queue.jobs.update(failed, partial(transitions.fail, failure=failure, now=6.0))
    state = as_key("a", Scope.ADMIN, Scope.READ).get("/v1/ops").json()
    videos = {video["id"]: video for video in state["videos"]}
    assert (videos[running]["prompt"], videos[other]["prompt"]) == (PROMPT, None)
    assert httpx.get(videos[running]["preview_url"]).content == b"mp4 keyframes"
    assert httpx.get(videos[running]["thumbnail_url"]).content == b"thumbnail keyframes"
    assert (videos[other]["preview_url"], videos[other]["thumbnail_url"]) == (None, None)
    [letter] = state["dead_letters"]
    assert (letter["video_id"], letter["prompt"], letter["project"], letter["model"]) == (
        *(failed, PROMPT, "a", "shapes"),
    )
    for scopes in ((Scope.ADMIN,), (Scope.ADMIN, Scope.GENERATE)):  # without `read` not even these
        assert "secret" not in as_key("a", *scopes).get("/v1/ops").text


def test_a_queue_says_how_many_were_done_in_the_last_hour(
    client: httpx.Client, finish: Callable[..., None]
) -> None:
    for _ in range(2):
        finish(create(client).json()["id"], "keyframes")
    queues = client.get("/v1/ops").json()["queues"]
    assert [queue["done_last_hour"] for queue in queues] == [2, 0, 0, 0]
    assert [queue["waiting"] for queue in queues] == [0, 2, 0, 0]


def test_a_letter_whose_record_is_gone_is_shown(client: httpx.Client, job_queue: JobQueue) -> None:
    video_id = create(client).json()["id"]
    failure = Failure("stage_failed", "no memory", "keyframes")
    job_queue.jobs.update(video_id, partial(transitions.fail, failure=failure, now=6.0))
    job_queue.jobs.redis.delete(job_key(video_id))
    [letter] = client.get("/v1/ops").json()["dead_letters"]
    assert (letter["message"], letter["project"], letter["prompt"]) == ("no memory", None, None)


def test_dead_letters_are_replayed_and_dismissed(
    as_key: Callable[..., httpx.Client], job_queue: JobQueue
) -> None:
    ids = [create(as_key("a")).json()["id"] for _ in range(2)]
    failure = Failure("retries_exhausted", "no memory", "keyframes")
    for at, video_id in enumerate(ids):
        job_queue.jobs.update(video_id, lambda job: transitions.start_stage(job, "keyframes", "w", 5.0))
        job_queue.jobs.update(video_id, partial(transitions.fail, failure=failure, now=6.0 + at))
    operator = as_key("operations", Scope.ADMIN)
    letters = operator.get("/v1/ops").json()["dead_letters"]
    assert [(letter["video_id"], letter["message"]) for letter in letters] == [
        (video_id, "no memory") for video_id in ids
    ]
    assert operator.post(f"/v1/ops/dead_letters/{ids[0]}/replay").json()["status"] == "in_progress"
    replayed, dismissed = job_queue.jobs.get(ids[0]), job_queue.jobs.get(ids[1])
    assert replayed is not None and replayed.stages[0].status == "queued"
    assert operator.delete(f"/v1/ops/dead_letters/{ids[1]}").status_code == 204
    assert dismissed is not None and dismissed.status == "failed"
    assert operator.get("/v1/ops").json()["dead_letters"] == []
    assert operator.post(f"/v1/ops/dead_letters/{ids[0]}/replay").status_code == 404


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/hook", "http://169.254.169.254/latest", "ftp://example.com", "example.com"]
)
def test_a_webhook_that_cannot_be_is_refused(url: str, client: httpx.Client, job_queue: JobQueue) -> None:
    answer = create(client, webhook_url=url)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "webhook_url")
    assert job_queue.jobs.page(10)[0] == []


def test_a_webhooks_attempts_can_be_read(client: httpx.Client, connected: Servers) -> None:
    video_id = create(client, webhook_url="https://hooks.invalid/x").json()["id"]
    client.post(f"/v1/videos/{video_id}/cancel")
    Webhooks.of(connected).deliver_next()
    (delivery,) = client.get(f"/v1/videos/{video_id}/deliveries").json()["data"]
    assert (delivery["attempt"], delivery["taken"], delivery["status_code"]) == (1, False, None)
    assert delivery["error"]
    assert client.get("/v1/webhooks/secret").json()["secret"].startswith("whsec_")


@pytest.mark.parametrize("log_prompts", ["false", "true"])
def test_prompts_stay_out_of_the_log_unless_the_operator_wants_them(
    log_prompts: str, start_gateway: Callable[..., str], tmp_path: Path, connected: Servers
) -> None:
    log = tmp_path / "log"
    url = start_gateway(log=log, LOG_PROMPTS=log_prompts, LOG_LEVEL="DEBUG")
    with httpx.Client(base_url=url) as client:
        video_id = create(client).json()["id"]
        client.get(f"/v1/videos/{video_id}")
        create(client, size="1x1")
    assert ("rather secret" in log.read_text()) == (log_prompts == "true")


def test_of_three_thousand_unfinished_videos_some_are_shown_and_all_are_counted(
    client: httpx.Client, job_queue: JobQueue, connected: Servers
) -> None:
    template = job_queue.submit(JobRequest("shapes", PROMPT, 7))
    jobs = [replace(template, id=f"video_{number:032x}", created_at=float(number)) for number in range(3000)]
    for job in jobs:
        connected.redis.set(job_key(job.id), dump_job(job))
        connected.redis.hset(OPEN, job.id, f"shapes.keyframes {job.project}")
    Heartbeat(connected.redis, ("shapes.keyframes",)).set("busy", jobs[-1].id)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        answer = client.get("/v1/ops")
        seconds.append(time.perf_counter() - started)
    state = answer.json()
    assert (state["unfinished"], len(state["videos"])) == (3001, 50)
    assert state["videos"][-1]["id"] == jobs[-1].id  # the one that a worker has
    assert len(answer.content) < 100_000
    assert min(seconds) < 0.1
