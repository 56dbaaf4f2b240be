"""The gateway below a path prefix that a proxy adds, and called by pages of other origins."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

PROMPT = "a red circle"
AppWith = Callable[..., TestClient]


@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.parametrize("told_by", ["setting", "header"])
def test_all_works_below_a_prefix(
    told_by: str, stripped: bool, app_with: AppWith, finish: Callable[..., None]
) -> None:
    client = app_with(auth="off", root_path="/cascade" if told_by == "setting" else "")
    headers = {} if told_by == "setting" else {"X-Forwarded-Prefix": "/cascade"}
    client.headers.update(headers)
    prefix = "" if stripped else "/cascade"
    for path in ("/", "/ops", "/docs", "/redoc"):
        page = client.get(f"{prefix}{path}")
        assert page.status_code == 200, path
        links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert links and not [link for link in links if link.startswith("/")], path
        for link in links:
            assert client.get(f"{prefix}/{link}".replace("./", "")).status_code == 200, link
    assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/cascade"}]
    video_id = client.post(f"{prefix}/v1/videos", json={"prompt": PROMPT}).json()["id"]
    finish(video_id)
    url = client.get(f"{prefix}/v1/videos/{video_id}").json()["url"]
    assert url.startswith("http://127.0.0.1:8000/cascade/files/")
    path = url.removeprefix("http://127.0.0.1:8000/cascade")
    assert client.get(prefix + path).content == b"mp4 expert-translation"
    slash = client.get(f"{prefix}/ops/")
    assert (slash.status_code, slash.headers["location"]) == (307, "http://127.0.0.1:8000/cascade/ops")


def test_the_prefix_alone_leads_to_the_page(app_with: AppWith) -> None:
    answer = app_with(auth="off", root_path="/cascade").get("/cascade")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:8000/cascade/")


def test_only_trusted_proxies_add_a_prefix_and_only_paths_are_prefixes(app_with: AppWith) -> None:
    def servers_below(client: TestClient, *prefixes: str) -> object:
        headers = [("X-Forwarded-Prefix", prefix) for prefix in prefixes]
        return client.get("/openapi.json", headers=headers).json().get("servers")

    client = app_with(auth="off")
    assert servers_below(client, "/a/") == [{"url": "/a"}]
    assert servers_below(client, "/a", "/b") == servers_below(client, "/a, /b") == [{"url": "/a/b"}]
    for wrong in ("a", "//evil.example", "https://evil.example", '/"><script>', "/a b", "/", ""):
        assert servers_below(client, wrong) is None, wrong
    assert servers_below(client) is None  # nothing of it stays
    assert servers_below(app_with(auth="off", trusted_proxies=("10.0.0.0/8",)), "/a") is None


def test_the_scheme_of_a_trusted_proxy_is_that_of_links(
    app_with: AppWith, finish: Callable[..., None]
) -> None:
    client = app_with(auth="off")
    video_id = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    finish(video_id)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "Host": "example.com"}
    assert client.get(f"/v1/videos/{video_id}", headers=headers).status_code == 403  # a name it does not know
    known = app_with(auth="off", allowed_hosts=("example.com",)).get(
        f"/v1/videos/{video_id}", headers=headers
    )
    assert known.json()["url"].startswith("https://example.com/files/")


def test_pages_of_named_origins_may_call_the_api(app_with: AppWith) -> None:
    client = app_with(auth="off", cors_origins=("https://studio.example",))
    origin = {"Origin": "https://studio.example"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-stainless-os",
    }
    preflight = client.options("/v1/videos", headers=origin | asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://studio.example"
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "idempotency-key", "x-stainless-os"} <= set(re.split(r",\s*", allowed))
    created = client.post("/v1/videos", json={"prompt": PROMPT}, headers=origin)
    assert (created.status_code, created.headers["access-control-allow-origin"]) == (200, origin["Origin"])
    refused = client.post("/v1/videos", json={"prompt": ""}, headers=origin)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (422, origin["Origin"])
    exposed = created.headers["access-control-expose-headers"].lower()
    assert "content-range" in exposed and "retry-after" in exposed
    other = {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in client.get("/v1/videos", headers=other).headers
    assert client.options("/v1/videos", headers=other | asked).status_code == 400


def test_a_preflight_needs_no_key(app_with: AppWith) -> None:
    client = app_with(auth="on", cors_origins=("*",))
    headers = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}
    assert client.options("/v1/videos", headers=headers).headers["access-control-allow-origin"] == "*"
    refused = client.get("/v1/videos", headers=headers)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


def test_without_the_setting_no_page_elsewhere_may(app_with: AppWith) -> None:
    answer = app_with(auth="off").get("/v1/videos", headers={"Origin": "https://studio.example"})
    assert "access-control-allow-origin" not in answer.headers
