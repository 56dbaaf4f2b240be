"""What only a cascade can offer: drafts that go on, remixes from a stage, and every stage's clip in every form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cascade.models.presets.table import StageKind
from cascade.workers.job_queue import Conveyor

PROMPT = "a red circle moving right on a gray background"
Finish = Callable[..., None]


def create(client: httpx.Client, **fields: Any) -> str:
    answer = client.post("/v1/videos", json={"prompt": PROMPT, "seed": 7, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_a_draft_is_completed_with_its_stages_clip_and_goes_on_from_there(
    client: httpx.Client, conveyor: Conveyor, finish: Finish
) -> None:
    video_id = create(client, stop_after="keyframes")
    assert client.post(f"/v1/videos/{video_id}/continue").status_code == 409
    finish(video_id, StageKind.KEYFRAMES)
    draft = client.get(f"/v1/videos/{video_id}").json()
    assert (draft["status"], draft["progress"]) == ("completed", 100)
    assert httpx.get(draft["url"]).content == b"mp4 keyframes"
    assert [stage["status"] for stage in draft["stages"]] == ["completed"] + ["pending"] * 3

    continued = client.post(f"/v1/videos/{video_id}/continue").json()
    assert (continued["status"], continued["stop_after"], continued["url"]) == ("queued", None, None)
    assert [stage["status"] for stage in continued["stages"]][:2] == ["completed", "queued"]
    assert conveyor.redis.llen("interpolation") == 1
    finish(video_id, *list(StageKind)[1:])
    assert httpx.get(client.get(f"/v1/videos/{video_id}").json()["url"]).content == b"mp4 expert-translation"
    assert client.post(f"/v1/videos/{video_id}/continue").status_code == 409


def test_a_remix_takes_over_what_is_before_the_stage_it_starts_from(
    client: httpx.Client, conveyor: Conveyor, finish: Finish
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
    assert (remix["stages"][0]["steps"], remix["stages"][2]["steps"]) == (3, 5)
    assert remix["usage"]["gpu_seconds"] == 0
    assert (conveyor.redis.llen("super-resolution"), conveyor.redis.llen("keyframes")) == (1, 1)
    # What was taken over stays when the source is deleted.
    client.delete(f"/v1/videos/{source}")
    assert httpx.get(remix["stages"][1]["preview_url"]).content == b"mp4 interpolation"
    clip = conveyor.jobs.get(remix["id"]).stages[1].artifact
    assert conveyor.artifacts.get(clip) == b"tensors interpolation"
    finish(remix["id"], StageKind.SUPER_RESOLUTION, StageKind.EXPERT_TRANSLATION)
    done = client.get(f"/v1/videos/{remix['id']}").json()
    assert done["usage"]["gpu_seconds_by_stage"] == {"super-resolution": 1.5, "expert-translation": 1.5}


def test_a_remix_without_a_stage_starts_anew(client: httpx.Client, conveyor: Conveyor) -> None:
    source = create(client)
    remix = client.post(f"/v1/videos/{source}/remix", json={"prompt": "a blue square"}).json()
    assert [stage["reused"] for stage in remix["stages"]] == [False] * 4
    assert conveyor.redis.llen("keyframes") == 2


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"from_stage": "interpolation"}, 409, None),  # nothing has landed yet
        ({"from_stage": "upscaling"}, 422, "from_stage"),
        ({"prompt": " "}, 422, "prompt"),
        ({"prompt": "x" * 1001}, 422, "prompt"),
        ({"size": "300x200"}, 422, "size"),
        ({"strength": 1}, 422, "strength"),
    ],
)
def test_a_remix_that_cannot_be_is_refused(
    fields: dict, status: int, field: str | None, client: httpx.Client, conveyor: Conveyor
) -> None:
    source = create(client)
    answer = client.post(f"/v1/videos/{source}/remix", json=fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == field
    assert len(conveyor.jobs.page(10)[0]) == 1


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
    variant: str, content: bytes, client: httpx.Client, finish: Finish
) -> None:
    video_id = create(client)
    finish(video_id, StageKind.KEYFRAMES, StageKind.INTERPOLATION)
    answer = client.get(
        f"/v1/videos/{video_id}/content",
        params={"stage": "interpolation", "variant": variant},
        follow_redirects=True,
    )
    assert answer.content == content
    unknown = client.get(f"/v1/videos/{video_id}/content?variant=gif")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (422, "variant")


def test_stop_after_and_metadata_are_checked(client: httpx.Client) -> None:
    for fields, field in (
        ({"stop_after": "upscaling"}, "stop_after"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ):
        answer = client.post("/v1/videos", json={"prompt": PROMPT, **fields})
        assert answer.status_code == 422
        assert answer.json()["error"]["param"].startswith(field)
