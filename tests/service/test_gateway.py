"""The gateway over a real socket, in front of real servers; jobs are moved along as workers would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cascade.models.presets.table import StageKind
from cascade.service.stack.embedded import free_port
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import Failure, fail
from cascade.workers.queue.heartbeat import Presence
from cascade.workers.settings import Settings

PROMPT = "a red circle moving right on a gray background"


def create(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/videos", json={"prompt": PROMPT, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def nothing_was_queued(conveyor: Conveyor) -> bool:
    return conveyor.jobs.page(10) == ([], False) and not any(
        conveyor.redis.llen(str(kind)) for kind in StageKind
    )


def test_a_new_video_is_queued_and_shown(client: httpx.Client, conveyor: Conveyor) -> None:
    video = create(client, seed=7, size="128x80", steps={"keyframes": 3}, guidance_scale={"keyframes": 2})
    assert (video["object"], video["status"], video["progress"]) == ("video", "queued", 0)
    assert (video["model"], video["size"], video["seconds"], video["seed"]) == (
        "shapes",
        "128x80",
        "3.625",
        7,
    )
    assert [stage["kind"] for stage in video["stages"]] == [str(kind) for kind in StageKind]
    assert video["stages"][0]["steps"] == 3
    assert video["url"] is None
    assert client.get(f"/v1/videos/{video['id']}").json() == video
    assert conveyor.redis.llen("keyframes") == 1


def test_a_form_is_read_as_json_is(client: httpx.Client) -> None:
    fields = {
        "prompt": PROMPT,
        "model": "shapes",
        "seed": "7",
        "steps": '{"keyframes": 3}',
        "seconds": "3.625",
    }
    for video in (
        client.post("/v1/videos", data=fields).json(),
        client.post("/v1/videos", files={name: (None, value) for name, value in fields.items()}).json(),
    ):
        assert (video["seed"], video["stages"][0]["steps"]) == (7, 3)


def test_a_seed_is_chosen_and_told_where_none_is_given(client: httpx.Client) -> None:
    assert create(client)["seed"] != create(client)["seed"]


BAD_REQUESTS = {
    "empty prompt": ({"prompt": "  "}, "prompt", "must not be empty"),
    "no prompt": ({"prompt": None}, "prompt", "string"),
    "long prompt": ({"prompt": "x" * 1001}, "prompt", "1000 are allowed"),
    "control character": ({"prompt": "a\u0000b"}, "prompt", "control"),
    "long negative prompt": ({"negative_prompt": "x" * 1001}, "negative_prompt", "1000 are allowed"),
    "unknown preset": ({"model": "sora-2"}, "model", "choose one of shapes"),
    "preset not offered": ({"model": "show-1"}, "model", "choose one of shapes"),
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
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_names_the_field_and_what_is_allowed_and_queues_nothing(
    case: str, client: httpx.Client, conveyor: Conveyor
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
    assert nothing_was_queued(conveyor)


@pytest.mark.parametrize(
    ("status", "content", "media_type"),
    [
        (400, b'{"prompt": ', "application/json"),
        (400, b"\xff\xfe", "application/json"),
        (422, b'["a prompt"]', "application/json"),
        (422, b'{"prompt": "a", "guidance_scale": {"keyframes": NaN}}', "application/json"),
        (422, b'{"prompt": "half a pair \\ud800"}', "application/json"),
        (422, b"prompt=a&prompt=b", "application/x-www-form-urlencoded"),
        (422, b"prompt=a&steps=many", "application/x-www-form-urlencoded"),
        (415, b"a prompt", "text/plain"),
        (413, b'{"prompt": "' + b"x" * 70_000 + b'"}', "application/json"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    status: int, content: bytes, media_type: str, client: httpx.Client, conveyor: Conveyor
) -> None:
    answer = client.post("/v1/videos", content=content, headers={"content-type": media_type})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert nothing_was_queued(conveyor)


def test_a_body_without_a_length_is_cut_off_at_the_limit(client: httpx.Client, conveyor: Conveyor) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(100):
            yield b"x" * 10_000

    answer = client.post("/v1/videos", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert nothing_was_queued(conveyor)


def test_a_finished_video_downloads_over_http(client: httpx.Client, finish: Callable[..., None]) -> None:
    video_id = create(client)["id"]
    early = client.get(f"/v1/videos/{video_id}/content")
    assert (early.status_code, "queued" in early.json()["detail"]) == (409, True)
    finish(video_id)
    video = client.get(f"/v1/videos/{video_id}").json()
    assert (video["status"], video["progress"]) == ("completed", 100)
    assert httpx.get(video["url"]).content == b"mp4 expert-translation"
    assert (
        client.get(f"/v1/videos/{video_id}/content", follow_redirects=True).content
        == b"mp4 expert-translation"
    )
    stage = client.get(f"/v1/videos/{video_id}/content?stage=keyframes", follow_redirects=True)
    assert stage.content == b"mp4 keyframes"
    assert httpx.get(video["stages"][0]["preview_url"]).content == b"mp4 keyframes"
    assert video["stages"][0]["gpu_seconds"] == 1.5


def test_a_failed_video_says_why(client: httpx.Client, conveyor: Conveyor) -> None:
    video_id = create(client)["id"]
    conveyor.jobs.update(
        video_id, lambda job: fail(job, Failure("stage_failed", "no weights", StageKind.KEYFRAMES), 1.0)
    )
    video = client.get(f"/v1/videos/{video_id}").json()
    assert video["error"] == {"code": "stage_failed", "message": "no weights"}
    assert [stage["status"] for stage in video["stages"]] == ["failed", "pending", "pending", "pending"]


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


def test_cancelling_ends_a_video_once(client: httpx.Client) -> None:
    video_id = create(client)["id"]
    assert client.post(f"/v1/videos/{video_id}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/v1/videos/{video_id}/cancel").status_code == 409


def test_deleting_removes_record_and_files(client: httpx.Client, finish: Callable[..., None]) -> None:
    video_id = create(client)["id"]
    finish(video_id)
    url = client.get(f"/v1/videos/{video_id}").json()["url"]
    assert client.delete(f"/v1/videos/{video_id}").json() == {
        "id": video_id,
        "object": "video.deleted",
        "deleted": True,
    }
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


def test_models_tell_what_can_be_asked_for(client: httpx.Client) -> None:
    [model] = client.get("/v1/models").json()["data"]
    assert (model["id"], model["sizes"], model["max_prompt_chars"]) == ("shapes", ["256x160", "128x80"], 1000)
    assert [stage["kind"] for stage in model["stages"]] == [str(kind) for kind in StageKind]


def test_readiness_names_each_worker_that_is_missing(client: httpx.Client, conveyor: Conveyor) -> None:
    missing = client.get("/readyz")
    assert missing.status_code == 503
    checks = {check["name"]: check["ok"] for check in missing.json()["checks"]}
    assert checks == {"redis": True, "s3": True} | {f"worker:{kind}": False for kind in StageKind}
    presences = [Presence(conveyor.redis, kind, ("shapes",)) for kind in StageKind]
    for presence in presences:
        presence.start()
        presence.set("ready")
    assert client.get("/readyz").json()["ready"] is True
    for presence in presences:
        presence.stop()


def test_every_route_is_documented_with_an_example(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/videos"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["prompt"] == PROMPT
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("description"), path
    assert client.get("/docs").status_code == 200


def test_when_redis_is_away_the_client_is_told_to_come_back(settings: Settings) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cascade", "gateway"],
        env=os.environ
        | {
            "CASCADE_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
            "CASCADE_S3_ENDPOINT_URL": settings.s3_endpoint_url,
            "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
            "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
            "CASCADE_PORT": str(port),
        },
    )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=8), timeout=60
        ) as client:
            answer = client.post("/v1/videos", json={"prompt": PROMPT})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/healthz").status_code == 200
            checks = {check["name"]: check["ok"] for check in client.get("/readyz").json()["checks"]}
            assert (checks["redis"], checks["s3"]) == (False, True)
    finally:
        process.terminate()
        process.wait(10)
