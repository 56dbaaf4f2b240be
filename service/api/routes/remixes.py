"""`/v1/videos/{id}/continue` and `/remix`: videos that go on from clips that are there already."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.service.access.authentication import Generator
from cascade.service.access.rate_limit import LimitedGenerator
from cascade.service.api.dependencies import Queue, ServiceSettings, Show
from cascade.service.api.job_requests import remix_request
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId, check_stage, own_video
from cascade.service.api.schemas.requests import ContinueVideo, RemixVideo
from cascade.service.api.schemas.videos import Video
from cascade.service.problems import ApiError
from cascade.workers.jobs import transitions

router = APIRouter(prefix="/v1/videos", tags=["videos"])


@router.post("/{video_id}/continue", responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503))
def continue_video(
    video_id: VideoId, caller: Generator, queue: Queue, show: Show, body: ContinueVideo | None = None
) -> Video:
    """Let a completed draft go on from its stored clip, without repeating what is done."""
    draft = None if body is None else body.draft
    return show(queue.continue_draft(own_video(video_id, queue.jobs, caller).id, draft))


@router.post("/{video_id}/remix", responses=problems(401, 403, 404, 409, 422, 429, 503))
def remix_video(
    video_id: VideoId,
    caller: LimitedGenerator,
    body: RemixVideo,
    queue: Queue,
    settings: ServiceSettings,
    show: Show,
) -> Video:
    """Queue a new video from this one: other words, seed or parameters from a stage on; clips before it are reused."""
    source = own_video(video_id, queue.jobs, caller)
    first = body.from_stage or source.stages[0].name
    check_stage(source, first, "from_stage")
    if body.draft is not None:
        if first == source.stages[0].name:
            raise ApiError(422, "only stages after the first can start from a draft", "draft")
        source = transitions.choose_draft(source, body.draft)
    return show(queue.remix(source, remix_request(body, source, settings), first))
