"""Keys that expire or are revoked, what they were last used for, and what each scope does not show."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from sse_starlette import ServerSentEvent
from starlette.types import Message

from cascade.service.access import streams
from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.access.authentication import Caller
from cascade.service.access.streams import EventStreams
from cascade.service.stack.embedded import Credentials, free_port

PROMPT = "a secret red circle"


def test_a_key_ends_when_it_expires(guarded_url: str, api_keys: ApiKeys) -> None:
    key, token = api_keys.create("test", "a", (Scope.READ,), valid_for_s=1.0)
    assert api_keys.authenticate(token) == key
    deadline = time.monotonic() + 10
    with httpx.Client(base_url=guarded_url, headers={"Authorization": f"Bearer {token}"}) as client:
        while (answer := client.get("/v1/videos")).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert [stored.id for stored in api_keys.list()] == [key.id]


def test_the_last_use_of_a_key_is_recorded(guarded_url: str, api_keys: ApiKeys) -> None:
    used, token = api_keys.create("test", "a", (Scope.READ,))
    unused, _ = api_keys.create("test", "a", (Scope.READ,))
    httpx.get(f"{guarded_url}/v1/videos", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    httpx.get(f"{guarded_url}/v1/videos", headers={"Authorization": f"Bearer csk_{unused.id}_x"})
    assert api_keys.last_uses().keys() == {used.id}
    assert abs(api_keys.last_uses()[used.id] - api_keys.now()) < 60
    assert api_keys.revoke(used.id)
    assert api_keys.last_uses() == {}


@pytest.mark.parametrize("ending", ["revoked", "expired"])
def test_open_event_streams_end_with_their_key(
    as_key: Callable[..., httpx.Client], guarded_url: str, api_keys: ApiKeys, ending: str
) -> None:
    video_id = as_key("a").post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    key, token = api_keys.create("test", "a", (Scope.READ,), 2.0 if ending == "expired" else None)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{guarded_url}/v1/videos/{video_id}/events"
    started = time.monotonic()
    with httpx.stream("GET", url, headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        assert "video.queued" in next(line for line in lines if line.startswith("event"))
        if ending == "revoked":
            api_keys.revoke(key.id)
        assert not any("video." in line for line in lines)  # until the stream ends
    assert time.monotonic() - started < 10


def test_a_client_that_does_not_read_keeps_no_other_stream_open(
    api_keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECK_INTERVAL_S", 0.05)

    async def events() -> AsyncIterator[ServerSentEvent]:
        while True:
            yield ServerSentEvent("x")
            await asyncio.sleep(0.01)

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def read(_: Message) -> None:
        pass

    async def do_not_read(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    async def revoke_one_after_the_other() -> None:
        open_streams = EventStreams(api_keys, 1)
        check = asyncio.create_task(open_streams.end_with_keys())
        answers = []
        for send in (do_not_read, read):
            key, _ = api_keys.create("test", "a", (Scope.READ,))
            answer = open_streams.respond(Caller(key.id, "a", frozenset()), events(), 15)
            scope = {"type": "http", "method": "GET"}
            answers.append((key, asyncio.create_task(answer(scope, receive, send))))
        for key, _ in answers:
            await asyncio.sleep(0.2)
            api_keys.revoke(key.id)
        (_, unread), (_, read_one) = answers
        await asyncio.wait_for(read_one, 5)
        for task in (check, unread):
            task.cancel()

    asyncio.run(revoke_one_after_the_other())


def test_the_scope_generate_alone_shows_no_prompts_and_no_clips(
    as_key: Callable[..., httpx.Client], finish: Callable[..., None]
) -> None:
    owner, maker = as_key("a"), as_key("a", Scope.GENERATE)
    source = owner.post(
        "/v1/videos", json={"prompt": PROMPT, "negative_prompt": PROMPT, "metadata": {"x": PROMPT}}
    )
    source_id = source.json()["id"]
    finish(source_id)
    for path, body in (
        ("remix", {"seed": 8}),
        ("remix", {"seed": 8, "from_stage": "super-resolution"}),
        ("continue", {}),
    ):
        answer = maker.post(f"/v1/videos/{source_id}/{path}", json=body)
        assert (answer.status_code, "secret" in answer.text) == (403, False)
    for path in ("", "/content", "/events", "/deliveries"):
        assert maker.get(f"/v1/videos/{source_id}{path}").status_code == 403
    running = owner.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    cancelled = maker.post(f"/v1/videos/{running}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"], "secret" in cancelled.text) == (
        200,
        "cancelled",
        False,
    )

    def make() -> httpx.Response:
        return maker.post("/v1/videos", json={"prompt": "a cat"}, headers={"Idempotency-Key": "one"})

    finish(make().json()["id"])
    again = make().json()
    assert (again["status"], again["url"], again["prompt"]) == ("completed", None, "")
    assert all(stage["preview_url"] is None for stage in again["stages"])


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/video_0/remix", "/v1/videos/video_0/continue"])
@pytest.mark.parametrize(
    "length", [b"Content-Length: 60000", b"Transfer-Encoding: chunked", b"Content-Length: 99999999"]
)
def test_a_key_is_asked_for_before_any_body_is_read(guarded_url: str, path: str, length: bytes) -> None:
    port = int(guarded_url.rsplit(":", 1)[1])
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head + length + b"\r\n\r\n")  # and nothing of the body
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_keys_of_the_embedded_stack_beside_are_found(
    servers: Credentials,
    api_keys: ApiKeys,
    cascade: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    (tmp_path / ".cascade").mkdir()
    (tmp_path / ".cascade" / "embedded.json").write_text(json.dumps(asdict(servers)))
    made = cascade("keys", "create", "ada", "--expires-in-days", "30", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    key = api_keys.authenticate(made.stdout.split()[-1])
    assert key is not None
    assert key.expires_at is not None
    assert abs(key.expires_at - key.created_at - 30 * 86_400) < 1
    (listed,) = (line for line in cascade("keys", "list", cwd=tmp_path).stdout.splitlines() if key.id in line)
    assert "never" not in listed  # it was used above, and will expire


def test_a_stack_beside_that_does_not_run_is_said(
    cascade: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    stopped = Credentials(free_port(), "x", free_port(), "x", "x")
    (tmp_path / ".cascade").mkdir()
    (tmp_path / ".cascade" / "embedded.json").write_text(json.dumps(asdict(stopped)))
    refused = cascade("keys", "list", cwd=tmp_path)
    assert refused.returncode == 2
    assert "is not running" in refused.stderr
