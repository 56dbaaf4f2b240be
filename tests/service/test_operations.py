"""The operator's view, webhooks and retention as clients see them, and prompts in logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cascade.models.presets.table import StageKind
from cascade.service.access.api_keys import Scope
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import Failure, start_stage
from cascade.workers.queue.heartbeat import Presence
from cascade.workers.recovery import give_up

PROMPT = "a rather secret circle"


def create(client: httpx.Client, **fields: object) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": PROMPT, **fields})


def test_operators_see_queues_workers_and_videos_of_all_projects_but_no_prompts(
    as_key: Callable[..., httpx.Client], conveyor: Conveyor
) -> None:
    first, second = (create(as_key(project)).json()["id"] for project in ("a", "b"))
    conveyor.jobs.update(first, lambda job: start_stage(job, StageKind.KEYFRAMES, "worker-1", 5.0))
    presence = Presence(conveyor.redis, StageKind.KEYFRAMES, ("shapes",))
    presence.set("busy", first)
    operator = as_key("operations", Scope.ADMIN)
    answer = operator.get("/v1/ops")
    seen = answer.json()
    assert [queue["kind"] for queue in seen["queues"]] == list(StageKind)
    assert seen["queues"][0] == {"kind": "keyframes", "waiting": 2, "workers": 1, "busy": 1}
    assert [(worker["state"], worker["video_id"]) for worker in seen["workers"]] == [("busy", first)]
    assert [(video["id"], video["project"]) for video in seen["videos"]] == [(first, "a"), (second, "b")]
    assert seen["videos"][0]["stages"][0]["started_at"] == 5.0
    assert "secret" not in answer.text


def test_dead_letters_are_replayed_and_dismissed(
    as_key: Callable[..., httpx.Client], conveyor: Conveyor
) -> None:
    ids = [create(as_key("a")).json()["id"] for _ in range(2)]
    for video_id in ids:
        conveyor.jobs.update(video_id, lambda job: start_stage(job, StageKind.KEYFRAMES, "w", 5.0))
        give_up(conveyor, video_id, Failure("retries_exhausted", "no memory", StageKind.KEYFRAMES))
    operator = as_key("operations", Scope.ADMIN)
    letters = operator.get("/v1/ops").json()["dead_letters"]
    assert [(letter["video_id"], letter["message"]) for letter in letters] == [
        (video_id, "no memory") for video_id in ids
    ]
    assert operator.post(f"/v1/ops/dead_letters/{ids[0]}/replay").json()["status"] == "in_progress"
    assert conveyor.jobs.get(ids[0]).stages[0].status == "queued"
    assert operator.delete(f"/v1/ops/dead_letters/{ids[1]}").status_code == 204
    assert conveyor.jobs.get(ids[1]).status == "failed"
    assert operator.get("/v1/ops").json()["dead_letters"] == []
    assert operator.post(f"/v1/ops/dead_letters/{ids[0]}/replay").status_code == 404


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/hook", "http://169.254.169.254/latest", "ftp://example.com", "example.com"]
)
def test_a_webhook_that_cannot_be_is_refused(url: str, client: httpx.Client, conveyor: Conveyor) -> None:
    answer = create(client, webhook_url=url)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "webhook_url")
    assert conveyor.jobs.page(10)[0] == []


def test_a_webhooks_tries_can_be_read(client: httpx.Client, conveyor: Conveyor) -> None:
    video_id = create(client, webhook_url="https://hooks.invalid/x").json()["id"]
    client.post(f"/v1/videos/{video_id}/cancel")
    conveyor.webhooks.deliver_next()
    (delivery,) = client.get(f"/v1/videos/{video_id}/deliveries").json()["data"]
    assert (delivery["attempt"], delivery["taken"], delivery["status_code"]) == (1, False, None)
    assert delivery["error"]
    assert client.get("/v1/webhooks/secret").json()["secret"].startswith("whsec_")


def test_a_video_says_when_it_expires(client: httpx.Client) -> None:
    video_id = create(client, retention_s=3600).json()["id"]
    assert client.get(f"/v1/videos/{video_id}").json()["expires_at"] is None
    cancelled = client.post(f"/v1/videos/{video_id}/cancel").json()
    assert abs(cancelled["expires_at"] - time.time() - 3600) < 5


def test_prompts_stay_out_of_the_log_unless_they_are_wanted(
    start_gateway: Callable[..., str], tmp_path: Path, conveyor: Conveyor
) -> None:
    for wanted in ("false", "true"):
        log = tmp_path / wanted
        url = start_gateway(log=log, LOG_PROMPTS=wanted, LOG_LEVEL="DEBUG")
        with httpx.Client(base_url=url) as client:
            video_id = create(client).json()["id"]
            client.get(f"/v1/videos/{video_id}")
            create(client, size="1x1")
        assert ("rather secret" in log.read_text()) == (wanted == "true")
