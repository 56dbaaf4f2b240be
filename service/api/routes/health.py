"""Probes: is the process up, and can a video be made."""

from __future__ import annotations

from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from cascade.models.presets.table import get_preset
from cascade.service.api.dependencies import Connected
from cascade.workers.job_queue import Conveyor

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing that must be there for videos to be made."""

    name: str = Field(examples=["worker:keyframes"])
    ok: bool
    detail: str = Field(examples=["2 workers"])


class Readiness(BaseModel):
    """Whether videos can be made, and what is missing if not."""

    ready: bool
    checks: list[Check]


@router.get("/healthz")
def healthz() -> Health:
    """The gateway process is up."""
    return Health()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
def readyz(conveyor: Connected) -> JSONResponse:
    """Redis, the object store and a live worker of every stage are there."""
    checks = [_redis(conveyor), _objects(conveyor), *_workers(conveyor)]
    ready = all(check.ok for check in checks)
    return JSONResponse(Readiness(ready=ready, checks=checks).model_dump(), 200 if ready else 503)


def _redis(conveyor: Conveyor) -> Check:
    try:
        conveyor.redis.ping()
    except RedisError as error:
        return Check(name="redis", ok=False, detail=f"cannot be reached: {type(error).__name__}")
    return Check(name="redis", ok=True, detail="answers")


def _objects(conveyor: Conveyor) -> Check:
    try:
        conveyor.objects.check()
    except (BotoCoreError, ClientError) as error:
        return Check(name="s3", ok=False, detail=f"bucket cannot be reached: {type(error).__name__}")
    return Check(name="s3", ok=True, detail="bucket is there")


def _workers(conveyor: Conveyor) -> list[Check]:
    kinds = {kind: None for name in conveyor.settings.presets for kind in get_preset(name).kinds}
    try:
        workers = conveyor.live_workers()
    except RedisError:
        workers = []
    checks = []
    for kind in kinds:
        of_kind = [worker for worker in workers if worker.kind == kind]
        live = [worker for worker in of_kind if worker.state != "loading"]
        detail = f"{len(live)} live" + (f", {len(of_kind) - len(live)} loading" if of_kind != live else "")
        checks.append(Check(name=f"worker:{kind}", ok=bool(live), detail=detail))
    return checks
