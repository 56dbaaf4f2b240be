"""API keys, projects that do not see each other, and requests sent twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.workers.job_queue import Conveyor
from cascade.workers.settings import Settings

PROMPT = "a red circle"
BOTH = (Scope.GENERATE, Scope.READ)


def post(client: httpx.Client, **kwargs: object) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": PROMPT}, **kwargs)


def test_without_a_valid_key_nothing_is_answered(guarded_url: str, conveyor: Conveyor) -> None:
    key, token = conveyor.api_keys.create("test", "a", BOTH)
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
            assert post(client, headers={"Authorization": authorization}).status_code == 401
        assert client.get("/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/healthz").status_code == 200
        conveyor.api_keys.revoke(key.id)
        assert client.get("/v1/videos", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_scopes_are_held(as_key: Callable[..., httpx.Client]) -> None:
    reader, maker = as_key("a", Scope.READ), as_key("a", Scope.GENERATE)
    assert post(reader).status_code == 403
    assert maker.get("/v1/videos").status_code == 403
    video_id = post(maker).json()["id"]
    assert reader.get(f"/v1/videos/{video_id}").status_code == 200
    assert reader.delete(f"/v1/videos/{video_id}").status_code == 403


def test_no_route_shows_another_projects_video(
    as_key: Callable[..., httpx.Client], finish: Callable[..., None], conveyor: Conveyor, guarded_url: str
) -> None:
    owner, stranger, colleague = as_key("a"), as_key("b"), as_key("a")
    video_id = post(owner).json()["id"]
    finish(video_id)
    before = conveyor.jobs.get(video_id)
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
    assert conveyor.jobs.get(video_id) == before
    assert [video["id"] for video in colleague.get("/v1/videos").json()["data"]] == [video_id]
    remix = owner.post(f"/v1/videos/{video_id}/remix", json={"prompt": PROMPT}).json()["id"]
    assert stranger.get(f"/v1/videos/{remix}").status_code == 404
    secrets = {client.get("/v1/webhooks/secret").json()["secret"] for client in (owner, stranger, colleague)}
    assert len(secrets) == 2


def test_every_route_but_the_probes_and_the_page_asks_for_a_key(guarded_url: str, conveyor: Conveyor) -> None:
    paths = httpx.get(f"{guarded_url}/openapi.json").json()["paths"]
    open_routes = {
        path
        for path, verbs in paths.items()
        for verb in verbs
        if httpx.request(verb, guarded_url + path.replace("{video_id}", "video_0")).status_code != 401
    }
    assert open_routes == {"/healthz", "/readyz"}


def test_only_hashes_of_keys_are_stored(conveyor: Conveyor) -> None:
    _, token = conveyor.api_keys.create("test", "a", BOTH)
    secret = token.split("_", 2)[2]
    stored = b"".join(conveyor.redis.hvals("cascade:api-keys"))
    assert secret.encode() not in stored
    assert conveyor.api_keys.authenticate(token) is not None


def test_keys_are_asked_for_where_others_can_reach_the_gateway() -> None:
    assert not Settings(host="127.0.0.1").authenticates
    assert Settings(host="0.0.0.0").authenticates
    assert not Settings(host="0.0.0.0", auth="off").authenticates
    assert Settings(host="127.0.0.1", auth="on").authenticates


def test_keys_are_made_listed_and_revoked_on_the_command_line(settings: Settings, conveyor: Conveyor) -> None:
    def keys(*args: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"CASCADE_REDIS_URL": settings.redis_url.get_secret_value(), "COLUMNS": "200"}
        command = [sys.executable, "-m", "cascade", "keys", *args]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    token = keys("create", "Ada", "--project", "engines", "--scope", "admin").stdout.splitlines()[-1]
    key = ApiKeys(conveyor.redis).authenticate(token)
    assert (key.name, key.project, key.scopes) == ("Ada", "engines", (Scope.ADMIN,))
    listed = keys("list").stdout
    assert key.id in listed
    assert token.split("_", 2)[2] not in listed
    assert keys("revoke", key.id).returncode == 0
    assert keys("revoke", key.id).returncode == 1
    assert conveyor.api_keys.authenticate(token) is None


def test_a_request_sent_fifty_times_at_once_makes_one_video(gateway_url: str, conveyor: Conveyor) -> None:
    def send(_: int) -> httpx.Response:
        return httpx.post(
            f"{gateway_url}/v1/videos",
            json={"prompt": PROMPT},
            headers={"Idempotency-Key": "once"},
            timeout=30,
        )

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(conveyor.jobs.page(100)[0]) == 1
    assert conveyor.redis.llen("keyframes") == 1


def test_a_key_with_another_request_is_a_conflict(client: httpx.Client, conveyor: Conveyor) -> None:
    first = post(client, headers={"Idempotency-Key": "mine"}).json()["id"]
    other = client.post("/v1/videos", json={"prompt": "a blue square"}, headers={"Idempotency-Key": "mine"})
    assert other.status_code == 409
    assert post(client, headers={"Idempotency-Key": "mine"}).json()["id"] == first
    assert len(conveyor.jobs.page(10)[0]) == 1
    ttl_s = conveyor.redis.ttl(next(conveyor.redis.scan_iter(match="cascade:idempotency:*")))
    assert 86_000 < ttl_s <= 86_400


def test_a_refused_request_does_not_use_its_key_up(client: httpx.Client) -> None:
    bad = client.post("/v1/videos", json={"prompt": " "}, headers={"Idempotency-Key": "again"})
    assert bad.status_code == 422
    assert post(client, headers={"Idempotency-Key": "again"}).status_code == 200


def test_projects_do_not_share_idempotency_keys(as_key: Callable[..., httpx.Client]) -> None:
    ids = {post(as_key(project), headers={"Idempotency-Key": "same"}).json()["id"] for project in ("a", "b")}
    assert len(ids) == 2
