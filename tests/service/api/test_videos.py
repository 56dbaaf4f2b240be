"""`/v1/videos` over a real socket, in front of real servers; jobs are moved along as workers would."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from cascade.models.presets.table import get_preset
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Artifact, Failure, StageOutput

PROMPT = "a red circle moving right on a gray background"
SHAPES = get_preset("shapes")


def create(client: httpx.Client, **fields: object) -> dict[str, Any]:
    answer = client.post("/v1/videos", json={"prompt": PROMPT, **fields})
    assert answer.status_code == 200, answer.text
    video: dict[str, Any] = answer.json()
    return video


def nothing_was_queued(job_queue: JobQueue) -> bool:
    return job_queue.jobs.page(10) == ([], None) and not any(map(job_queue.waiting.count, SHAPES.queues))


def test_a_new_video_is_queued_and_shown(client: httpx.Client, job_queue: JobQueue) -> None:
    video = create(client, seed=7, size="128x80", steps={"keyframes": 3}, guidance_scale={"keyframes": 2})
    assert (video["object"], video["status"], video["progress"]) == ("video", "queued", 0)
    assert (video["model"], video["size"], video["seconds"]) == ("shapes", "128x80", "3.625")
    assert video["seed"] == 7
    assert video["stages"][0]["steps"] == 3
    assert video["url"] is None
    assert client.get(f"/v1/videos/{video['id']}").json() == video
    assert job_queue.waiting.count("shapes.keyframes") == 1


def test_stages_have_names_for_requests_and_titles_for_people(client: httpx.Client) -> None:
    stages = create(client)["stages"]
    assert [(stage["name"], stage["title"]) for stage in stages] == [
        ("keyframes", "Keyframes"),
        ("interpolation", "Interpolation"),
        ("super-resolution", "Super-resolution"),
        ("expert-translation", "Expert translation"),
    ]
    assert [stage["kind"] for stage in stages] == [stage["name"] for stage in stages]


def test_a_seed_is_drawn_where_the_request_has_none(client: httpx.Client) -> None:
    assert create(client)["seed"] != create(client)["seed"]


BAD_REQUESTS: dict[str, tuple[dict[str, object], str, str]] = {
    "empty prompt": ({"prompt": "  "}, "prompt", "must not be empty"),
    "no prompt": ({"prompt": None}, "prompt", "string"),
    "long prompt": ({"prompt": "x" * 1001}, "prompt", "1000 are allowed"),
    "control character": ({"prompt": "a\u0000b"}, "prompt", "control"),
    "long negative prompt": ({"negative_prompt": "x" * 1001}, "negative_prompt", "1000 are allowed"),
    "unknown preset": ({"model": "sora-2"}, "model", "choose one of shapes"),
    "preset not offered": ({"model": "show-1"}, "model", "choose one of shapes"),
    "no model": ({"model": ""}, "model", "shapes"),
    "size not offered": ({"size": "300x200"}, "size", "256x160, 128x80"),
    "wrong size type": ({"size": 256}, "size", "string"),
    "wrong seconds": ({"seconds": "8"}, "seconds", "3.625"),
    "negative seed": ({"seed": -1}, "seed", "greater than or equal to 0"),
    "seed as text": ({"seed": "7"}, "seed", "integer"),
    "seed as truth": ({"seed": True}, "seed", "integer"),
    "too many steps": ({"steps": {"keyframes": 101}}, "steps.keyframes", "1 to 100"),
    "fractional steps": ({"steps": {"keyframes": 1.5}}, "steps.keyframes", "integer"),
    "steps of no stage": ({"steps": {"upscaling": 3}}, "steps.upscaling", "keyframes"),
    "guidance too low": ({"guidance_scale": {"keyframes": 0}}, "guidance_scale.keyframes", "1 to 30"),
    "guidance as truth": ({"guidance_scale": {"keyframes": True}}, "guidance_scale.keyframes", "finite"),
    "unknown field": ({"strength": 0.5}, "strength", "not permitted"),
    "draft of no stage": ({"stop_after": "upscaling"}, "stop_after", "keyframes, interpolation"),
    "metadata that is no text": ({"metadata": {"k": 1}}, "metadata.k", "string"),
    "too much metadata": ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "16"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_names_the_field_and_what_is_allowed_and_queues_nothing(
    case: str, client: httpx.Client, job_queue: JobQueue
) -> None:
    fields, field, allowed = BAD_REQUESTS[case]
    answer = client.post("/v1/videos", json={"prompt": PROMPT, **fields})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"] == field
    assert allowed in problem["detail"]
    assert problem["error"] == {
        "message": problem["detail"],
        "type": "invalid_request_error",
        "param": field,
        "code": "unprocessable_entity",
    }
    assert nothing_was_queued(job_queue)


def test_a_finished_video_downloads_over_http(client: httpx.Client, finish: Callable[..., None]) -> None:
    video_id = create(client)["id"]
    early = client.get(f"/v1/videos/{video_id}/content")
    assert (early.status_code, "queued" in early.json()["detail"]) == (409, True)
    finish(video_id)
    video = client.get(f"/v1/videos/{video_id}").json()
    assert (video["status"], video["progress"]) == ("completed", 100)
    assert httpx.get(video["url"]).content == b"mp4 expert-translation"
    content = f"/v1/videos/{video_id}/content"
    assert client.get(content, follow_redirects=True).content == b"mp4 expert-translation"
    stage = client.get(f"{content}?stage=keyframes", follow_redirects=True)
    assert stage.content == b"mp4 keyframes"
    assert httpx.get(video["stages"][0]["preview_url"]).content == b"mp4 keyframes"
    assert video["stages"][0]["gpu_seconds"] == 1.5


@pytest.mark.parametrize(
    ("variant", "content"),
    [
        ("video", b"mp4 interpolation"),
        ("thumbnail", b"thumbnail interpolation"),
        ("spritesheet", b"png interpolation"),
        ("webp", b"webp interpolation"),
        ("safetensors", b"tensors interpolation"),
    ],
)
def test_a_stages_clip_downloads_in_every_form(
    variant: str, content: bytes, client: httpx.Client, finish: Callable[..., None]
) -> None:
    video_id = create(client)["id"]
    finish(video_id, "keyframes", "interpolation")
    answer = client.get(
        f"/v1/videos/{video_id}/content",
        params={"stage": "interpolation", "variant": variant},
        follow_redirects=True,
    )
    assert answer.content == content
    unknown = client.get(f"/v1/videos/{video_id}/content?variant=gif")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (422, "variant")


def test_the_content_of_a_stage_that_is_not_there_is_refused(client: httpx.Client) -> None:
    path = f"/v1/videos/{create(client)['id']}/content"
    unknown = client.get(f"{path}?stage=upscaling")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (422, "stage")
    assert "its stages are keyframes, interpolation" in unknown.json()["detail"]
    early = client.get(f"{path}?stage=keyframes")
    assert (early.status_code, "is not ready yet" in early.json()["detail"]) == (409, True)


def test_tensors_that_were_deleted_after_a_while_have_expired(
    client: httpx.Client, job_queue: JobQueue, finish: Callable[..., None]
) -> None:
    video_id = create(client)["id"]
    finish(video_id)
    job_queue.jobs.update(video_id, transitions.drop_intermediates)
    answer = client.get(f"/v1/videos/{video_id}/content?variant=safetensors")
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (409, True)


def test_a_failed_video_says_why(client: httpx.Client, job_queue: JobQueue) -> None:
    video_id = create(client)["id"]
    failure = Failure("stage_failed", "no weights", "keyframes")
    job_queue.jobs.update(video_id, lambda job: transitions.fail(job, failure, 1.0))
    video = client.get(f"/v1/videos/{video_id}").json()
    assert video["error"] == {"code": "stage_failed", "message": "no weights"}
    assert video["stages"][0]["status"] == "failed"


def test_videos_are_listed_page_by_page(client: httpx.Client) -> None:
    ids = [create(client)["id"] for _ in range(3)]
    page = client.get("/v1/videos?limit=2").json()
    assert ([video["id"] for video in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    assert (page["first_id"], page["last_id"]) == (ids[2], ids[1])
    rest = client.get(f"/v1/videos?limit=2&after={page['last_id']}").json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (ids[:1], False)
    assert [video["id"] for video in client.get("/v1/videos?order=asc").json()["data"]] == ids
    assert client.get("/v1/videos?limit=0").status_code == 422
    assert client.get("/v1/videos?after=video_x").status_code == 404


def test_cancelling_ends_a_video_once_and_leaves_no_stage_open(client: httpx.Client) -> None:
    video_id = create(client)["id"]
    cancelled = client.post(f"/v1/videos/{video_id}/cancel").json()
    assert cancelled["status"] == "cancelled"
    assert not {stage["status"] for stage in cancelled["stages"]} & {"queued", "in_progress"}
    assert cancelled["stages"][0]["status"] == "cancelled"
    assert client.post(f"/v1/videos/{video_id}/cancel").status_code == 409


def test_deleting_removes_record_and_files(client: httpx.Client, finish: Callable[..., None]) -> None:
    video_id = create(client)["id"]
    finish(video_id)
    url = client.get(f"/v1/videos/{video_id}").json()["url"]
    deleted = client.delete(f"/v1/videos/{video_id}").json()
    assert deleted == {"id": video_id, "object": "video.deleted", "deleted": True}
    assert httpx.get(url).status_code == 404
    for answer in (client.get(f"/v1/videos/{video_id}"), client.delete(f"/v1/videos/{video_id}")):
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    "path", ["/v1/videos/video_0", "/v1/videos/..%2f..%2fetc", "/nowhere", "/v1/videos/%00"]
)
def test_what_is_not_there_is_a_problem_too(path: str, client: httpx.Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


def test_a_video_says_when_it_expires(client: httpx.Client) -> None:
    video_id = create(client, retention_s=3600)["id"]
    assert client.get(f"/v1/videos/{video_id}").json()["expires_at"] is None
    cancelled = client.post(f"/v1/videos/{video_id}/cancel").json()
    assert abs(cancelled["expires_at"] - cancelled["created_at"] - 3600) < 10


def test_a_video_that_waits_has_a_place_and_one_that_is_over_none(
    client: httpx.Client, job_queue: JobQueue
) -> None:
    measured, first, second = (create(client)["id"] for _ in range(3))
    assert client.get(f"/v1/videos/{second}").json()["estimate"] == {"position": 3, "seconds_left": None}
    tensors = Artifact("redis", "jobs/x", 3, "abc", "application/vnd.safetensors")
    for stage, seconds in zip(SHAPES.stage_names, (10, 4, 20, 6), strict=True):
        start = partial(transitions.start_stage, stage=stage, worker="w", now=1.0)
        output = StageOutput(tensors, {}, 0.5, 1000)
        end = partial(transitions.complete_stage, stage=stage, output=output, now=1.0 + seconds)
        job_queue.jobs.update(measured, start)
        job_queue.jobs.update(measured, end)
    listed = {video["id"]: video["estimate"] for video in client.get("/v1/videos").json()["data"]}
    assert listed[measured] is None
    assert listed[first] == {"position": 1, "seconds_left": 40.0}
    assert listed[second] == {"position": 2, "seconds_left": 60.0}  # it waits 20 s for the third stage
    job_queue.jobs.update(first, lambda job: transitions.start_stage(job, "keyframes", "w", 1.0))
    assert client.get(f"/v1/videos/{first}").json()["estimate"]["position"] is None
    assert client.post(f"/v1/videos/{second}/cancel").json()["estimate"] is None
