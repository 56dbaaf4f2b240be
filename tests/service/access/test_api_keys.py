"""API keys, scopes, and projects that do not see each other."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import httpx

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.workers.job_queue import JobQueue
from cascade.workers.keys import API_KEYS
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

PROMPT = "a red circle"
BOTH = (Scope.GENERATE, Scope.READ)


def post(client: httpx.Client, authorization: str | None = None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.post("/v1/videos", json={"prompt": PROMPT}, headers=headers)


def test_without_a_valid_key_nothing_is_answered(guarded_url: str, api_keys: ApiKeys) -> None:
    key, token = api_keys.create("test", "a", BOTH)
    with httpx.Client(base_url=guarded_url) as client:
        for authorization in (
            "",
            "Bearer",
            f"Bearer {token}x",
            f"Basic {token}",
            f"Bearer csk_{key.id}_",
            "Bearer x",
        ):
            for path in ("/v1/videos", "/v1/models", "/v1/videos/video_0", "/v1/videos/video_0/events"):
                answer = client.get(path, headers={"Authorization": authorization})
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
                assert answer.json()["error"]["code"] == "invalid_api_key"
            assert post(client, authorization).status_code == 401
        assert client.get("/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/healthz").status_code == 200
        api_keys.revoke(key.id)
        assert client.get("/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_key_can_do_only_what_its_scopes_allow(as_key: Callable[..., httpx.Client]) -> None:
    reader, maker = as_key("a", Scope.READ), as_key("a", Scope.GENERATE)
    refused = post(reader)
    assert (refused.status_code, 'lacks the scope "generate"' in refused.json()["detail"]) == (403, True)
    assert maker.get("/v1/videos").status_code == 403
    video_id = post(maker).json()["id"]
    assert reader.get(f"/v1/videos/{video_id}").status_code == 200
    assert reader.delete(f"/v1/videos/{video_id}").status_code == 403


def test_no_route_shows_another_projects_video(
    as_key: Callable[..., httpx.Client], finish: Callable[..., None], job_queue: JobQueue, guarded_url: str
) -> None:
    owner, stranger, colleague = as_key("a"), as_key("b"), as_key("a")
    video_id = post(owner).json()["id"]
    finish(video_id)
    before = job_queue.jobs.get(video_id)
    nothing = stranger.get("/v1/videos/video_0").json()["title"]
    paths = httpx.get(f"{guarded_url}/openapi.json").json()["paths"]
    routes = [(verb, path) for path, verbs in paths.items() if "{video_id}" in path for verb in verbs]
    assert len(routes) >= 10
    for verb, path in routes:
        body = {"prompt": PROMPT} if path.endswith("/remix") else None
        answer = stranger.request(verb, path.replace("{video_id}", video_id), json=body)
        if "/ops/" in path:
            assert answer.status_code == 403, (verb, path)
        else:
            assert (answer.status_code, answer.json()["title"]) == (404, nothing), (verb, path)
    assert stranger.get("/v1/videos", params={"after": video_id}).status_code == 404
    assert stranger.get("/v1/videos").json()["data"] == []
    assert job_queue.jobs.get(video_id) == before
    assert [video["id"] for video in colleague.get("/v1/videos").json()["data"]] == [video_id]
    remix = owner.post(f"/v1/videos/{video_id}/remix", json={"prompt": PROMPT}).json()["id"]
    assert stranger.get(f"/v1/videos/{remix}").status_code == 404
    secrets = {client.get("/v1/webhooks/secret").json()["secret"] for client in (owner, stranger, colleague)}
    assert len(secrets) == 2


def test_every_route_but_the_probes_and_the_page_asks_for_a_key(guarded_url: str, connected: Servers) -> None:
    paths = httpx.get(f"{guarded_url}/openapi.json").json()["paths"]
    open_routes = {
        path
        for path, verbs in paths.items()
        for verb in verbs
        if httpx.request(verb, guarded_url + path.replace("{video_id}", "video_0")).status_code != 401
    }
    assert open_routes == {"/healthz", "/readyz"}


def test_only_hashes_of_keys_are_stored(connected: Servers, api_keys: ApiKeys) -> None:
    _, token = api_keys.create("test", "a", BOTH)
    secret = token.split("_", 2)[2]
    stored = b"".join(connected.redis.hvals(API_KEYS))
    assert secret.encode() not in stored
    assert api_keys.authenticate(token) is not None


def test_keys_are_asked_for_where_others_can_reach_the_gateway() -> None:
    assert not Settings(host="127.0.0.1").authenticates
    assert Settings(host="0.0.0.0").authenticates
    assert not Settings(host="0.0.0.0", auth="off").authenticates
    assert Settings(host="127.0.0.1", auth="on").authenticates


def test_keys_are_created_listed_and_revoked_on_the_command_line(
    settings: Settings, api_keys: ApiKeys, cascade: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    def keys(*args: str) -> subprocess.CompletedProcess[str]:
        return cascade("keys", *args, CASCADE_REDIS_URL=settings.redis_url.get_secret_value())

    token = keys("create", "Ada", "--project", "engines", "--scope", "admin").stdout.splitlines()[-1]
    key = api_keys.authenticate(token)
    assert key is not None
    assert (key.name, key.project, key.scopes) == ("Ada", "engines", (Scope.ADMIN,))
    table = keys("list").stdout
    assert key.id in table
    assert token.split("_", 2)[2] not in table
    assert keys("revoke", key.id).returncode == 0
    assert keys("revoke", key.id).returncode == 1
    assert api_keys.authenticate(token) is None
