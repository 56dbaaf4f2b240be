"""Probes, the presets on offer, and the document that describes all routes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import httpx

from cascade.models.presets.table import get_preset
from cascade.service.stack.embedded import free_port
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest
from cascade.workers.keys import line_key
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

PROMPT = "a red circle moving right on a gray background"
QUEUES = get_preset("shapes").queues


def test_models_say_what_can_be_asked_for(client: httpx.Client) -> None:
    [model] = client.get("/v1/models").json()["data"]
    assert (model["id"], model["sizes"], model["max_prompt_chars"]) == ("shapes", ["256x160", "128x80"], 1000)
    assert [(stage["name"], stage["title"]) for stage in model["stages"]] == [
        ("keyframes", "Keyframes"),
        ("interpolation", "Interpolation"),
        ("super-resolution", "Super-resolution"),
        ("expert-translation", "Expert translation"),
    ]
    assert [stage["kind"] for stage in model["stages"]] == [stage["name"] for stage in model["stages"]]


def test_readiness_names_each_queue_without_a_worker(client: httpx.Client, connected: Servers) -> None:
    missing = client.get("/readyz")
    assert missing.status_code == 503
    checks = {check["name"]: check["ok"] for check in missing.json()["checks"]}
    assert checks == {"redis": True, "s3": True} | {f"worker:{queue}": False for queue in QUEUES}
    # One worker may serve several queues.
    heartbeats = [Heartbeat(connected.redis, QUEUES[:1]), Heartbeat(connected.redis, QUEUES[1:])]
    for heartbeat in heartbeats:
        heartbeat.start()
    loading = {check["name"]: check["detail"] for check in client.get("/readyz").json()["checks"]}
    assert loading["worker:shapes.keyframes"] == "0 live, 1 loading"
    for heartbeat in heartbeats:
        heartbeat.set("ready")
    assert client.get("/readyz").json()["ready"] is True
    for heartbeat in heartbeats:
        heartbeat.stop()


def test_a_stage_that_waits_beside_an_idle_worker_is_noticed(
    client: httpx.Client, connected: Servers, job_queue: JobQueue
) -> None:
    heartbeat = Heartbeat(connected.redis, QUEUES)
    heartbeat.set("ready")
    job_queue.submit(JobRequest("shapes", PROMPT, 7))
    assert client.get("/readyz").json()["ready"] is True
    connected.redis.zadd(line_key(QUEUES[0]), {"default": job_queue.jobs.now() - 60})
    answer = client.get("/readyz")
    assert answer.status_code == 503
    [check] = [check for check in answer.json()["checks"] if not check["ok"]]
    assert check["name"] == f"worker:{QUEUES[0]}"
    assert "1 idle although a stage has waited for a turn for 6" in check["detail"]
    heartbeat.set("busy")  # it is no standstill while all workers have something to do
    assert client.get("/readyz").json()["ready"] is True


def test_a_gateway_with_several_presets_shows_and_checks_the_queues_of_all(
    start_gateway: Callable[..., str], connected: Servers
) -> None:
    presets = ("shapes", "show-1", "wan")
    url = start_gateway(PRESETS=",".join(presets))
    queues = [queue for preset in presets for queue in get_preset(preset).queues]
    checks = httpx.get(f"{url}/readyz").json()["checks"]
    assert [check["name"] for check in checks] == ["redis", "s3", *(f"worker:{queue}" for queue in queues)]
    shown = httpx.get(f"{url}/v1/ops").json()["queues"]
    assert [queue["queue"] for queue in shown] == queues
    assert [model["id"] for model in httpx.get(f"{url}/v1/models").json()["data"]] == list(presets)
    video = httpx.post(f"{url}/v1/videos", json={"prompt": PROMPT, "model": "wan"}).json()
    assert [(stage["name"], stage["title"]) for stage in video["stages"]] == [
        ("text-to-video", "Text to video")
    ]


def test_every_route_is_documented_with_an_example(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/videos"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["prompt"] == PROMPT
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("description"), path
    assert client.get("/docs").status_code == 200


def test_the_examples_of_the_document_are_accepted(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    created = client.post("/v1/videos", json=schemas["CreateVideo"]["examples"][0])
    assert created.status_code == 200, created.text
    remix = client.post(f"/v1/videos/{created.json()['id']}/remix", json=schemas["RemixVideo"]["examples"][0])
    assert remix.status_code == 409, remix.text  # its stages have no clips yet


def test_the_old_name_of_a_stage_is_marked_as_deprecated(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for schema in ("StageView", "StageModel", "StageTimes"):
        assert schemas[schema]["properties"]["kind"]["deprecated"] is True
        assert {"name", "title"} <= set(schemas[schema]["required"])


def test_when_redis_is_away_the_client_is_asked_to_come_back(settings: Settings) -> None:
    assert settings.s3_access_key is not None and settings.s3_secret_key is not None
    port = free_port()
    env = {
        "CASCADE_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "CASCADE_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
        "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "CASCADE_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "cascade", "gateway"], env=os.environ | env)
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
