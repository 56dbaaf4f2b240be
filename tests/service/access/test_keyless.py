"""A gateway without keys answers its user's programs and its own page, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from cascade.service.access.api_keys import ApiKeys, Scope

BODY = {"prompt": "a red circle"}


def port_of(url: str) -> str:
    return url.rsplit(":", 1)[1]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:PORT", "127.0.0.1.evil.example", "localhost.evil.example", "localhost@evil.example",
        "192.168.1.5:PORT", "[2001:db8::1]", "", "0x7f.1", "127.0.0.1:PORT/x", "0.0.0.0:PORT",
    ],
)  # fmt: skip
def test_an_unknown_host_is_refused(client: httpx.Client, host: str) -> None:
    host = host.replace("PORT", str(client.base_url.port))
    for path in ("/", "/v1/videos", "/v1/webhooks/secret", "/healthz"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code in (400, 403), path
        assert "whsec_" not in answer.text
    assert client.post("/v1/videos", json=BODY, headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:PORT", "localhost.", "127.0.0.1", "127.1.2.3:PORT", "[::1]:PORT"]
)
def test_names_of_loopback_are_known(client: httpx.Client, host: str) -> None:
    headers = {"Host": host.replace("PORT", str(client.base_url.port))}
    assert client.get("/v1/videos", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "file://"},
        {"Origin": "http://["},
        {"Origin": "OWN, https://evil.example"},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_writes_from_other_sites_are_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    headers = {name: value.replace("OWN", f"{client.base_url}") for name, value in headers.items()}
    video_id = client.post("/v1/videos", json=BODY).json()["id"]
    for method, path in (
        ("POST", "/v1/videos"),
        ("POST", f"/v1/videos/{video_id}/cancel"),
        ("POST", "/v1/webhooks/secret/replace"),
        ("DELETE", f"/v1/videos/{video_id}"),
    ):
        answer = client.request(method, path, json=BODY if path == "/v1/videos" else None, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), path
    assert client.get(f"/v1/videos/{video_id}").json()["status"] == "queued"
    assert len(client.get("/v1/videos").json()["data"]) == 1


def test_of_two_origins_both_must_be_the_gateways_own(client: httpx.Client, gateway_url: str) -> None:
    for second, status in ((gateway_url, 200), ("https://evil.example", 403)):
        headers = [("Origin", gateway_url), ("Origin", second)]
        assert client.post("/v1/videos", json=BODY, headers=headers).status_code == status


def test_the_gateways_own_page_and_programs_may_write(client: httpx.Client, gateway_url: str) -> None:
    for headers in (
        {},
        {"Origin": gateway_url},
        {"Origin": gateway_url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert client.post("/v1/videos", json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize("media_type", [None, "", "text/plain", "text/plain; x=application/json"])
def test_a_body_that_a_page_can_send_anywhere_is_no_json(
    client: httpx.Client, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    video_id = client.post("/v1/videos", json=BODY).json()["id"]
    for path in ("/v1/videos", f"/v1/videos/{video_id}/remix"):
        answer = client.post(path, content=b'{"prompt": "a red circle"}', headers=headers)
        assert answer.status_code in (415, 422), path
    assert len(client.get("/v1/videos").json()["data"]) == 1


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP",
        "CF-Connecting-IP", "True-Client-IP", "X-Forwarded", "Forwarded-For", "X-Cluster-Client-IP", "CDN-Loop",
    ],
)  # fmt: skip
def test_what_comes_through_a_proxy_needs_a_key(client: httpx.Client, api_keys: ApiKeys, header: str) -> None:
    headers = {header: "for=203.0.113.7" if header == "Forwarded" else "203.0.113.7"}
    assert client.get("/v1/videos", headers=headers).status_code == 401
    assert client.post("/v1/videos", json=BODY, headers=headers).status_code == 401
    _, token = api_keys.create("test", "a", (Scope.READ,))
    with_key = headers | {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/videos", headers=with_key).status_code == 200
    assert client.post("/v1/videos", json=BODY, headers=with_key).status_code == 403


def test_a_gateway_with_keys_asks_for_nothing_more(
    as_key: Callable[..., httpx.Client], guarded_url: str
) -> None:
    headers = {"Host": "videos.example", "Origin": "https://studio.example", "X-Forwarded-For": "203.0.113.7"}
    assert as_key("a").post("/v1/videos", json=BODY, headers=headers).status_code == 200
