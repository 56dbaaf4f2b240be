"""`/v1/webhooks` and `/v1/videos/{id}/deliveries`: the secret that signs messages, and how they were delivered."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.service.access.authentication import Generator, Reader
from cascade.service.api.dependencies import Jobs, ProjectWebhooks
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId, own_video
from cascade.service.api.schemas.webhooks import DeliveryList, WebhookSecret
from cascade.service.api.views import delivery_view, secret_view

router = APIRouter()


@router.get("/v1/webhooks/secret", tags=["webhooks"], responses=problems(401, 403, 429, 503))
def webhook_secret(caller: Generator, webhooks: ProjectWebhooks) -> WebhookSecret:
    """Show the signing secret of the caller's project; the first request creates it."""
    return secret_view(webhooks.secrets.of(caller.project))


@router.post("/v1/webhooks/secret/replace", tags=["webhooks"], responses=problems(401, 403, 429, 503))
def replace_webhook_secret(caller: Generator, webhooks: ProjectWebhooks) -> WebhookSecret:
    """Make a new signing secret. For a day messages are signed with both, so that receivers can change over."""
    return secret_view(webhooks.secrets.replace(caller.project))


@router.get("/v1/videos/{video_id}/deliveries", tags=["videos"], responses=problems(401, 403, 404, 503))
def list_deliveries(video_id: VideoId, caller: Reader, jobs: Jobs, webhooks: ProjectWebhooks) -> DeliveryList:
    """List every attempt to deliver the video's webhooks, and how it went."""
    attempts = webhooks.log(own_video(video_id, jobs, caller).id)
    return DeliveryList(data=[delivery_view(attempt) for attempt in attempts])
