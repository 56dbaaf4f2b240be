"""`/v1/videos/{id}/continue` and `/remix`: videos that go on from clips that are there already."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends

from cascade.service.access.authentication import ReadingGenerator
from cascade.service.access.idempotency import IdempotencyKey, carry_out_once
from cascade.service.access.rate_limit import LimitedReadingGenerator
from cascade.service.api.dependencies import Queue, ServiceSettings, Show
from cascade.service.api.job_requests import remix_request
from cascade.service.api.openapi import problems, request_body
from cascade.service.api.own_videos import VideoId, check_stage, own_video
from cascade.service.api.request_body import MEDIA_TYPES, body_of
from cascade.service.api.schemas.requests import ContinueVideo, RemixVideo
from cascade.service.api.schemas.videos import Video
from cascade.service.problems import ApiError
from cascade.workers.jobs import transitions

router = APIRouter(prefix="/v1/videos", tags=["videos"])


@router.post("/{video_id}/continue", responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503))
def continue_video(
    video_id: VideoId,
    caller: ReadingGenerator,
    queue: Queue,
    show: Show,
    body: ContinueVideo | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Video:
    """Let a completed draft go on from its stored clip, without repeating what is done."""
    draft = None if body is None else body.draft
    own_video(video_id, queue.jobs, caller)
    job = carry_out_once(
        partial(queue.continue_draft, video_id, draft),
        queue.jobs,
        caller.project,
        idempotency_key,
        f"continue {video_id} {draft}",
    )
    return show(job)


@router.post(
    "/{video_id}/remix",
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    openapi_extra=request_body(RemixVideo, MEDIA_TYPES),
)
def remix_video(
    video_id: VideoId,
    caller: LimitedReadingGenerator,
    body: Annotated[RemixVideo, Depends(body_of(RemixVideo))],
    queue: Queue,
    settings: ServiceSettings,
    show: Show,
    idempotency_key: IdempotencyKey = None,
) -> Video:
    """Queue a new video from this one: other words, seed or parameters from a stage on; clips before it are reused."""
    source = own_video(video_id, queue.jobs, caller)
    first = source.stages[0].name if body.from_stage is None else body.from_stage
    check_stage(source, first, "from_stage")
    if body.draft is not None:
        if first == source.stages[0].name:
            raise ApiError(422, "only stages after the first can start from a draft", "draft")
        source = transitions.choose_draft(source, body.draft)
    job = carry_out_once(
        partial(queue.remix, source, remix_request(body, source, settings), first),
        queue.jobs,
        caller.project,
        idempotency_key,
        f"remix {video_id} {body.model_dump_json()}",
    )
    return show(job)
