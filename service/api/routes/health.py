"""Probes: is the process up, and can a video be made. Neither waits for a thread of the other routes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from cascade.service.api.readiness import ReadinessProbe
from cascade.service.api.schemas.health import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """Answer that the gateway process is up."""
    return Health()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(request: Request) -> JSONResponse:
    """Check that Redis, the object store and a live worker of every queue are there; answers within 5 seconds."""
    probe: ReadinessProbe = request.app.state.readiness
    readiness = await probe.ask()
    return JSONResponse(readiness.model_dump(), 200 if readiness.ready else 503)
