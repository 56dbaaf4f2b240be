"""Bodies of requests: JSON, forms, and what cannot be read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from cascade.service.api.request_body import form_fields
from cascade.service.api.schemas.requests import CreateVideo
from cascade.workers.job_queue import JobQueue

PROMPT = "a red circle moving right on a gray background"


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


def test_a_form_writes_numbers_and_mappings_as_json() -> None:
    fields = form_fields(CreateVideo)
    assert fields.json == {"seed", "steps", "guidance_scale", "best_of", "retention_s", "metadata"}
    assert fields.mappings == {"steps": False, "guidance_scale": False, "metadata": True}


NESTED = {
    "steps[keyframes]": "3",
    "steps[super-resolution]": "2",
    "guidance_scale[keyframes]": "2.5",
    "metadata[a]": "1",
    "metadata[b c]": "",
}


def test_entries_of_mappings_in_a_form_equal_nested_json(client: httpx.Client) -> None:
    steps = {"keyframes": 3, "super-resolution": 2}
    nested = {"steps": steps, "guidance_scale": {"keyframes": 2.5}, "metadata": {"a": "1", "b c": ""}}
    form = {"prompt": PROMPT, "seed": "7", **NESTED}
    answers = [
        client.post("/v1/videos", json={"prompt": PROMPT, "seed": 7, **nested}),
        client.post("/v1/videos", data=form),
        client.post("/v1/videos", files={name: (None, value) for name, value in form.items()}),
    ]
    videos = [answer.json() for answer in answers]
    for video in videos:
        assert video.pop("id") and video.pop("created_at") and video.pop("estimate")
        assert video["metadata"] == {"a": "1", "b c": ""}
    assert videos[0] == videos[1] == videos[2]


def test_a_remix_takes_a_form_too(client: httpx.Client) -> None:
    source = client.post("/v1/videos", json={"prompt": PROMPT, "seed": 7}).json()["id"]
    form = {"prompt": "a blue square", "seed": "8", "steps[keyframes]": "3"}
    for remix in (
        client.post(f"/v1/videos/{source}/remix", data=form).json(),
        client.post(
            f"/v1/videos/{source}/remix", files={name: (None, value) for name, value in form.items()}
        ).json(),
    ):
        assert (remix["prompt"], remix["seed"], remix["stages"][0]["steps"]) == ("a blue square", 8, 3)


MISUSES = {
    "steps[keyframes][x]=1": ("steps[keyframes][x]", "FIELD[KEY]"),
    "steps[]=1": ("steps[]", "FIELD[KEY]"),
    "steps[=1": ("steps[", "FIELD[KEY]"),
    "steps]=1": ("steps]", "FIELD[KEY]"),
    "[keyframes]=1": ("[keyframes]", "FIELD[KEY]"),
    "steps[keyframes]x=1": ("steps[keyframes]x", "FIELD[KEY]"),
    "steps[[keyframes]]=1": ("steps[[keyframes]]", "FIELD[KEY]"),
    "seed[0]=1": ("seed[0]", "steps, guidance_scale, metadata"),
    "prompt[a]=b": ("prompt[a]", "no entries"),
    "strength[a]=1": ("strength[a]", "no entries"),
    "steps[keyframes]=1&steps[keyframes]=2": ("steps[keyframes]", "twice"),
    'steps={"keyframes": 1}&steps[keyframes]=2': ("steps[keyframes]", "twice"),
    'steps[keyframes]=2&steps={"keyframes": 1}': ("steps", "twice"),
    "steps=3&steps[keyframes]=2": ("steps[keyframes]", "twice"),
    "steps[keyframes]=many": ("steps[keyframes]", "JSON"),
    "steps[keyframes]=1.5": ("steps.keyframes", "integer"),
    "steps[keyframes]=": ("steps[keyframes]", "JSON"),
    "steps[upscaling]=3": ("steps.upscaling", "keyframes"),
    "guidance_scale[keyframes]=NaN": ("guidance_scale.keyframes", "finite"),
}


@pytest.mark.parametrize("form", MISUSES)
def test_a_wrong_entry_of_a_form_is_named(form: str, client: httpx.Client, job_queue: JobQueue) -> None:
    field, said = MISUSES[form]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post("/v1/videos", content=f"prompt=a+circle&{form}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
    assert said in answer.json()["detail"]
    assert job_queue.jobs.page(10) == ([], None)


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
    status: int, content: bytes, media_type: str, client: httpx.Client, job_queue: JobQueue
) -> None:
    answer = client.post("/v1/videos", content=content, headers={"content-type": media_type})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert job_queue.jobs.page(10) == ([], None)


def test_a_body_without_a_length_is_cut_off_at_the_limit(client: httpx.Client, job_queue: JobQueue) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(100):
            yield b"x" * 10_000

    answer = client.post("/v1/videos", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert job_queue.jobs.page(10) == ([], None)


def test_a_body_above_the_limit_is_refused_before_it_is_read(gateway_url: str) -> None:
    port = int(gateway_url.rsplit(":", 1)[1])
    head = b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head + b"Content-Length: 99999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
