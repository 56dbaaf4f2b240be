"""`/v1/videos`: create, show, list, cancel and delete videos."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from cascade.service.access.authentication import Generator, Reader
from cascade.service.access.idempotency import IdempotencyKey, carry_out_once
from cascade.service.access.rate_limit import LimitedGenerator
from cascade.service.api.dependencies import Jobs, Queue, RegisteredMotions, ServiceSettings, Show, ShowAll
from cascade.service.api.job_requests import new_request
from cascade.service.api.json_answer import json_answer
from cascade.service.api.openapi import problems, request_body
from cascade.service.api.own_videos import VideoId, checked_id, own_video
from cascade.service.api.request_body import MEDIA_TYPES, body_of
from cascade.service.api.schemas.requests import CreateVideo
from cascade.service.api.schemas.videos import Video, VideoDeleted, VideoList
from cascade.service.api.video_filter import video_filter
from cascade.workers.jobs.listing import ALL_JOBS, JobFilter

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/videos", tags=["videos"])

POLL_AFTER_MS = "1000"


@router.post(
    "",
    response_model=Video,
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
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Response:
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
    return json_answer(show(job), response)


@router.get("", response_model=VideoList, responses=problems(401, 403, 404, 422, 503))
def list_videos(
    caller: Reader,
    jobs: Jobs,
    show: ShowAll,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="`last_id` of the page before.")] = None,
    order: Literal["asc", "desc"] = "desc",
    only: Annotated[JobFilter, Depends(video_filter)] = ALL_JOBS,
) -> Response:
    """List videos in order of creation, the newest first unless asked otherwise; those that pass all filters.

    Filters choose before pages are cut: a page is full unless there are no more. Only in a list of more than 100,000 videos
    may a page of rare ones come short, with `has_more` and a `last_id` to go on after.
    """
    if after is not None:
        checked_id(after)
    page, following = jobs.page(limit, after, caller.project, newest_first=order == "desc", only=only)
    videos = VideoList(
        data=show(page),
        first_id=page[0].id if page else None,
        last_id=following or (page[-1].id if page else None),
        has_more=following is not None,
    )
    return json_answer(videos, response)


@router.get("/{video_id}", response_model=Video, responses=problems(401, 403, 404, 503))
def get_video(video_id: VideoId, caller: Reader, jobs: Jobs, show: Show, response: Response) -> Response:
    """Show a video's status, progress and, stage by stage, what there is to see."""
    response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return json_answer(show(own_video(video_id, jobs, caller)), response)


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
