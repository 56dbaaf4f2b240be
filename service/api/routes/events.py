"""`/v1/videos/{id}/events`: what happens to a video, while it happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import Jobs
from cascade.service.api.event_hub import EventHub
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId, own_video
from cascade.service.problems import ApiError

router = APIRouter(prefix="/v1/videos", tags=["videos"])

PING_S = 15
MAX_ID_CHARS = 40


@router.get(
    "/{video_id}/events",
    response_class=EventSourceResponse,
    responses=problems(401, 403, 404, 422, 503)
    | {200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}},
)
async def video_events(
    video_id: VideoId,
    caller: Reader,
    jobs: Jobs,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
) -> EventSourceResponse:
    """Stream server-sent events from the beginning, or after `Last-Event-ID`; the stream ends with the video.

    `stage.started`, `stage.progress`, `stage.completed` (its preview is there), `stage.requeued`, and `video.queued`,
    `video.completed`, `video.failed`, `video.cancelled`.
    """
    after = last_event_id or "0-0"
    milliseconds, _, number = after.partition("-")
    if not (
        milliseconds.isdecimal() and number.isdecimal() and after.isascii() and len(after) <= MAX_ID_CHARS
    ):
        raise ApiError(422, f'"{after}" is not an event id', "last-event-id")
    await run_in_threadpool(own_video, video_id, jobs, caller)
    hub: EventHub = request.app.state.events
    return EventSourceResponse(hub.listen(video_id, after), ping=PING_S)
