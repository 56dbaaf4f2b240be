"""`/v1/videos`: create, show, list, cancel and delete videos."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from cascade.service.access.authentication import Generator, Reader
from cascade.service.access.idempotency import IdempotencyKey, carry_out_once
from cascade.service.access.rate_limit import LimitedGenerator
from cascade.service.api.dependencies import Jobs, Queue, RegisteredMotions, ServiceSettings, Show
from cascade.service.api.job_requests import new_request
from cascade.service.api.openapi import problems, request_body
from cascade.service.api.own_videos import VideoId, checked_id, own_video
from cascade.service.api.request_body import MEDIA_TYPES, body_of
from cascade.service.api.schemas.requests import CreateVideo
from cascade.service.api.schemas.videos import Video, VideoDeleted, VideoList

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/videos", tags=["videos"])

POLL_AFTER_MS = "1000"


@router.post(
    "",
    responses=problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
    openapi_extra=request_body(CreateVideo, MEDIA_TYPES),
)
def create_video(
    caller: LimitedGenerator,
    body: Annotated[CreateVideo, Depends(body_of(CreateVideo))],
    queue: Queue,
    motions: RegisteredMotions,
    settings: ServiceSettings,
    show: Show,
    idempotency_key: IdempotencyKey = None,
) -> Video:
    """Queue a video."""
    request = new_request(body, settings, motions)
    if settings.log_prompts:
        logger.info('key %s asks for "%s"', caller.key_id, request.prompt)
    job = carry_out_once(
        partial(queue.submit, request, caller.project),
        queue.jobs,
        caller.project,
        idempotency_key,
        body.model_dump_json(),
    )
    return show(job)


@router.get("", responses=problems(401, 403, 404, 422, 503))
def list_videos(
    caller: Reader,
    jobs: Jobs,
    show: Show,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="Id of the last video of the page before.")] = None,
    order: Literal["asc", "desc"] = "desc",
) -> VideoList:
    """List videos in order of creation, the newest first unless asked otherwise."""
    if after is not None:
        checked_id(after)
    page, has_more = jobs.page(limit, after, caller.project, newest_first=order == "desc")
    return VideoList(
        data=[show(job) for job in page],
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
        has_more=has_more,
    )


@router.get("/{video_id}", responses=problems(401, 403, 404, 503))
def get_video(video_id: VideoId, caller: Reader, jobs: Jobs, show: Show, response: Response) -> Video:
    """Show a video's status, progress and, stage by stage, what there is to see."""
    response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return show(own_video(video_id, jobs, caller))


@router.delete("/{video_id}", responses=problems(401, 403, 404, 503))
def delete_video(video_id: VideoId, caller: Generator, queue: Queue) -> VideoDeleted:
    """Delete a video and every byte of it; a running one is stopped."""
    queue.delete(own_video(video_id, queue.jobs, caller).id)
    return VideoDeleted(id=video_id)


@router.post("/{video_id}/cancel", responses=problems(401, 403, 404, 409, 422, 503))
def cancel_video(
    video_id: VideoId, caller: Generator, queue: Queue, show: Show, idempotency_key: IdempotencyKey = None
) -> Video:
    """Stop a queued or running video within one denoising step."""
    own_video(video_id, queue.jobs, caller)
    job = carry_out_once(
        partial(queue.cancel, video_id), queue.jobs, caller.project, idempotency_key, f"cancel {video_id}"
    )
    return show(job)
