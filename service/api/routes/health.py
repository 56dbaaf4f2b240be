"""Probes: is the process up, and can a video be made."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from cascade.models.presets.table import get_preset
from cascade.service.api.dependencies import Connected
from cascade.service.api.schemas.health import Check, Health, Readiness
from cascade.workers.queue.heartbeat import Worker, live_workers
from cascade.workers.redis_client import RedisClient
from cascade.workers.storage.object_store import ObjectStore

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> Health:
    """Answer that the gateway process is up."""
    return Health()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
def readyz(servers: Connected) -> JSONResponse:
    """Check that Redis, the object store and a live worker of every queue are there."""
    queues = [queue for name in servers.settings.presets for queue in get_preset(name).queues]
    try:
        workers = live_workers(servers.redis)
    except RedisError:
        workers = []
    checks = [_redis(servers.redis), _objects(servers.objects)]
    checks += [_workers(queue, workers) for queue in queues]
    ready = all(check.ok for check in checks)
    return JSONResponse(Readiness(ready=ready, checks=checks).model_dump(), 200 if ready else 503)


def _redis(redis: RedisClient) -> Check:
    try:
        redis.ping()
    except RedisError as error:
        return Check(name="redis", ok=False, detail=f"cannot be reached: {type(error).__name__}")
    return Check(name="redis", ok=True, detail="answers")


def _objects(objects: ObjectStore) -> Check:
    try:
        objects.check()
    except (BotoCoreError, ClientError) as error:
        return Check(name="s3", ok=False, detail=f"bucket cannot be reached: {type(error).__name__}")
    return Check(name="s3", ok=True, detail="bucket is there")


def _workers(queue: str, workers: list[Worker]) -> Check:
    serving = [worker for worker in workers if queue in worker.queues]
    loading = sum(worker.state == "loading" for worker in serving)
    live = len(serving) - loading
    detail = f"{live} live" + (f", {loading} loading" if loading else "")
    return Check(name=f"worker:{queue}", ok=live > 0, detail=detail)
