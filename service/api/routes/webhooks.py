"""`/v1/webhooks`: the secret that a webhook's receiver verifies signatures with."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.service.access.authentication import Generator
from cascade.service.api.dependencies import Connected
from cascade.service.api.openapi import problems
from cascade.service.api.schemas import WebhookSecret

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.get("/secret", responses=problems(401, 403, 503))
def webhook_secret(caller: Generator, conveyor: Connected) -> WebhookSecret:
    """The signing secret of the caller's project, made when it is first asked for."""
    return WebhookSecret(secret=conveyor.webhooks.secret(caller.project))
