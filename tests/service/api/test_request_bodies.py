"""Bodies of requests: JSON, forms, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from cascade.service.api.request_body import JSON_FIELDS
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
    assert {"seed", "steps", "guidance_scale", "best_of", "retention_s", "metadata"} == JSON_FIELDS


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
    assert job_queue.jobs.page(10) == ([], False)


def test_a_body_without_a_length_is_cut_off_at_the_limit(client: httpx.Client, job_queue: JobQueue) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(100):
            yield b"x" * 10_000

    answer = client.post("/v1/videos", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert job_queue.jobs.page(10) == ([], False)
