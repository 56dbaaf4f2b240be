"""Headers that every answer has, and pages that load nothing from elsewhere."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import httpx
import pytest
from fastapi.testclient import TestClient


def test_no_answer_lets_browsers_guess_its_media_type(
    client: httpx.Client, finish: Callable[..., None], gateway_url: str
) -> None:
    video_id = client.post("/v1/videos", json={"prompt": "a red circle"}).json()["id"]
    finish(video_id)
    answers = [
        client.get(path)
        for path in (
            "/", "/ops", "/docs", "/redoc", "/openapi.json", "/healthz", "/readyz", "/nowhere", "/web/app.js", "/web/nowhere",
            "/docs-assets/swagger-ui.css", "/v1/models", "/v1/videos", "/v1/videos/video_0", f"/v1/videos/{video_id}/content",
            f"/v1/videos/{video_id}/content?variant=thumbnail", f"/v1/videos/{video_id}/events", "/v1/videos?limit=0",
            "/files/nowhere", "/v1/videos?after=%FF",
        )
    ]  # fmt: skip
    answers += [
        client.post("/v1/videos", content=b"{"),
        client.post("/v1/videos", content=b"a" * 100_000),
        client.post("/v1/videos", content=b"\xff"),
        client.put("/v1/videos"),
        client.options("/v1/videos"),
        client.head("/"),
    ]
    assert {answer.status_code for answer in answers} >= {200, 404, 405, 413, 415, 422, 400}
    for answer in answers:
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.request.url
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
    with socket.create_connection(("127.0.0.1", int(gateway_url.rsplit(":", 1)[1])), timeout=5) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"x-content-type-options: nosniff" in connection.recv(4096).lower()


def test_https_is_asked_for_where_tls_is_in_front(app_with: Callable[..., TestClient]) -> None:
    client = app_with(tls_in_front=True)
    for path in ("/", "/v1/models", "/nowhere", "/docs", "/web/app.js"):
        assert "max-age=" in client.get(path).headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_loads_nothing_from_elsewhere(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    policy = page.headers["content-security-policy"]
    for directive in (
        "default-src 'none'",
        "script-src 'self';",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ):
        assert directive in policy
    assert not re.search(r"https?:|//", policy)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    for link in links:
        assert not re.match(r"(?:[a-z]+:)?//", link), link
        assert client.get(f"/{link}").status_code == 200
    assert "<script>" not in page.text
