"""`/v1/videos/{id}/events`: what happens to a video, while it happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse

from cascade.service.access.authentication import Reader
from cascade.service.access.streams import EventStreams
from cascade.service.api.dependencies import Jobs
from cascade.service.api.event_hub import EventHub
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId, own_video

router = APIRouter(prefix="/v1/videos", tags=["videos"])

PING_S = 15


@router.get(
    "/{video_id}/events",
    response_class=EventSourceResponse,
    responses=problems(401, 403, 404, 422, 429, 503)
    | {
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}},
        204: {"description": "The video has ended, and nothing comes after the event of `Last-Event-ID`."},
    },
)
async def video_events(
    video_id: VideoId,
    caller: Reader,
    jobs: Jobs,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
) -> Response:
    """Stream server-sent events from the beginning, or after `Last-Event-ID`; the stream ends with the video.

    `stage.started`, `stage.progress`, `stage.completed` (its preview is there), `stage.requeued`, and `video.queued`,
    `video.completed`, `video.failed`, `video.cancelled`. Between them come events `preview` of a running first stage, which have
    no id: `{"stage", "step", "steps", "image"}`, the image an animated WebP as a data URL of about 20 KB at most; who comes
    later gets the newest. Where nothing more is to come, the answer is 204, at which a
    browser's EventSource connects no more. After an id that is none of the video's events all of them come.
    """
    job = await run_in_threadpool(own_video, video_id, jobs, caller)
    hub: EventHub = request.app.state.events
    after = await hub.position(video_id, last_event_id)
    if job.status.final and not await hub.has_events(video_id, after):
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    streams: EventStreams = request.app.state.streams
    return streams.respond(caller, hub.listen(video_id, after, ended=job.status.final), PING_S)
