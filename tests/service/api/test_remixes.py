"""What only a cascade can offer: drafts that go on, and remixes from a stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cascade.workers.job_queue import JobQueue

PROMPT = "a red circle moving right on a gray background"
Finish = Callable[..., None]


def create(client: httpx.Client, **fields: object) -> str:
    answer = client.post("/v1/videos", json={"prompt": PROMPT, "seed": 7, **fields})
    assert answer.status_code == 200, answer.text
    video_id: str = answer.json()["id"]
    return video_id


def test_a_draft_is_completed_with_its_stages_clip_and_goes_on_from_there(
    client: httpx.Client, job_queue: JobQueue, finish: Finish
) -> None:
    video_id = create(client, stop_after="keyframes")
    assert client.post(f"/v1/videos/{video_id}/continue").status_code == 409
    finish(video_id, "keyframes")
    draft = client.get(f"/v1/videos/{video_id}").json()
    assert (draft["status"], draft["progress"]) == ("completed", 100)
    assert httpx.get(draft["url"]).content == b"mp4 keyframes"
    assert [stage["status"] for stage in draft["stages"]] == ["completed"] + ["pending"] * 3

    continued = client.post(f"/v1/videos/{video_id}/continue").json()
    assert (continued["status"], continued["stop_after"], continued["url"]) == ("queued", None, None)
    assert [stage["status"] for stage in continued["stages"]][:2] == ["completed", "queued"]
    assert job_queue.waiting.count("shapes.interpolation") == 1
    finish(video_id, "interpolation", "super-resolution", "expert-translation")
    assert httpx.get(client.get(f"/v1/videos/{video_id}").json()["url"]).content == b"mp4 expert-translation"
    assert client.post(f"/v1/videos/{video_id}/continue").status_code == 409


def test_a_remix_reuses_the_clips_before_the_stage_it_starts_from(
    client: httpx.Client, job_queue: JobQueue, finish: Finish
) -> None:
    source = create(client, steps={"keyframes": 3}, metadata={"who": "me"})
    finish(source)
    fields = {"prompt": "a blue square", "from_stage": "super-resolution", "steps": {"super-resolution": 5}}
    remix = client.post(f"/v1/videos/{source}/remix", json=fields).json()
    assert remix["remixed_from_video_id"] == source
    assert (remix["prompt"], remix["seed"], remix["metadata"]) == ("a blue square", 7, {"who": "me"})
    assert [(stage["status"], stage["reused"]) for stage in remix["stages"]] == [
        ("completed", True),
        ("completed", True),
        ("queued", False),
        ("pending", False),
    ]
    # A first frame of 2 steps, and four windows.
    assert (remix["stages"][0]["steps"], remix["stages"][2]["steps"]) == (3, 2 + 4 * 5)
    assert remix["usage"]["gpu_seconds"] == 0
    assert job_queue.waiting.count("shapes.super-resolution") == 1
    assert job_queue.waiting.count("shapes.keyframes") == 0
    # Reused clips stay when the source is deleted.
    client.delete(f"/v1/videos/{source}")
    assert httpx.get(remix["stages"][1]["preview_url"]).content == b"mp4 interpolation"
    job = job_queue.jobs.get(remix["id"])
    assert job is not None and job.stages[1].artifact is not None
    assert job_queue.artifacts.get(job.stages[1].artifact) == b"tensors interpolation"
    finish(remix["id"], "super-resolution", "expert-translation")
    done = client.get(f"/v1/videos/{remix['id']}").json()
    assert done["usage"]["gpu_seconds_by_stage"] == {"super-resolution": 1.5, "expert-translation": 1.5}


def test_a_remix_without_a_stage_starts_from_the_beginning(client: httpx.Client, job_queue: JobQueue) -> None:
    source = create(client)
    remix = client.post(f"/v1/videos/{source}/remix", json={"prompt": "a blue square"}).json()
    assert [stage["reused"] for stage in remix["stages"]] == [False] * 4
    assert job_queue.waiting.count("shapes.keyframes") == 2


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"from_stage": "interpolation"}, 409, None),  # nothing has landed yet
        ({"from_stage": "upscaling"}, 422, "from_stage"),
        ({"from_stage": ""}, 422, "from_stage"),
        ({"prompt": " "}, 422, "prompt"),
        ({"prompt": "x" * 1001}, 422, "prompt"),
        ({"size": "300x200"}, 422, "size"),
        ({"strength": 1}, 422, "strength"),
    ],
)
def test_a_remix_that_cannot_be_is_refused(
    fields: dict[str, Any], status: int, field: str | None, client: httpx.Client, job_queue: JobQueue
) -> None:
    source = create(client)
    answer = client.post(f"/v1/videos/{source}/remix", json=fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == field
    assert len(job_queue.jobs.page(10)[0]) == 1
