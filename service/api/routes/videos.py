"""`/v1/videos`: create, look at, list, cancel, delete and download videos."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from cascade.models.presets.table import MAX_SEED, StageKind
from cascade.service.access.authentication import Caller, Generator, Reader
from cascade.service.access.rate_limit import LimitedGenerator
from cascade.service.api.dependencies import Connected
from cascade.service.api.openapi import problems, reference
from cascade.service.api.schemas import (
    EXAMPLE_REQUEST,
    ContinueVideo,
    CreateVideo,
    DeliveryList,
    DeliveryView,
    RemixVideo,
    Video,
    VideoDeleted,
    VideoList,
    duration,
)
from cascade.service.problems import ApiError
from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import (
    IllegalTransition,
    Job,
    JobRequest,
    JobStatus,
    Motion,
    StageStatus,
    choose_draft,
)
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import MP4, PNG, SAFETENSORS, WEBP
from cascade.workers.webhooks.safe_http import check_url

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/videos", tags=["videos"])

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
JSON_FIELDS = ("steps", "guidance_scale", "seed", "best_of", "retention_s", "metadata")
POLL_AFTER_MS = "1000"

Variant = Literal["video", "thumbnail", "spritesheet", "webp", "safetensors"]
FILE_OF_VARIANT = {"video": "mp4", "thumbnail": "thumbnail", "spritesheet": "png", "webp": "webp"}
ENDINGS = {MP4: "mp4", WEBP: "webp", PNG: "png", SAFETENSORS: "safetensors"}

VideoId = Annotated[str, Path(max_length=64, examples=["video_0f3c9f0d8a1b4c5e9d7a6b5c4d3e2f10"])]


async def read_body(request: Request) -> CreateVideo:
    """The request as JSON or as a form (the OpenAI clients send a form)."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type in FORM_TYPES:
        body = _from_form(await request.form())
    elif media_type in ("application/json", ""):
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from error
    else:
        raise ApiError(415, f'media type "{media_type}" is not read; send JSON or a form')
    try:
        return CreateVideo.model_validate(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_context=False)]
        raise RequestValidationError(faults) from error


def _from_form(form: FormData) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in form.multi_items():
        if not isinstance(value, str):
            raise ApiError(422, f"{name} is a file; no field takes one", name)
        if name in body:
            raise ApiError(422, f"{name} is given twice", name)
        body[name] = _parsed(name, value) if name in JSON_FIELDS else value
    return body


def _parsed(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, f"{name} in a form is written as JSON: {error}", name) from error


def _job_request(body: CreateVideo, conveyor: Conveyor) -> JobRequest:
    """The request checked against its preset. Raises ApiError or InvalidParameter."""
    settings = conveyor.settings
    _check_lengths(body.prompt, body.negative_prompt, settings)
    model = body.model or settings.presets[0]
    if model not in settings.presets:
        offered = ", ".join(settings.presets)
        raise ApiError(422, f'there is no preset "{model}"; choose one of {offered}', "model")
    request = JobRequest(
        preset=model,
        prompt=body.prompt,
        seed=secrets.randbelow(MAX_SEED + 1) if body.seed is None else body.seed,
        negative_prompt=body.negative_prompt,
        size=body.size,
        steps=body.steps,
        guidance_scale=body.guidance_scale,
        stop_after=body.stop_after,
        best_of=body.best_of,
        motion=_motion(model, body.motion, conveyor),
        webhook_url=body.webhook_url,
        retention_s=body.retention_s,
        metadata=body.metadata,
    )
    _check_stop_after(request)
    _check_best_of(request, settings)
    _check_webhook_url(request, settings)
    only = duration(request.resolve()[-1])
    if body.seconds is not None and str(body.seconds) != only:
        raise ApiError(422, f'preset "{model}" makes videos of {only} seconds', "seconds")
    return request


def _check_lengths(prompt: str, negative_prompt: str | None, settings: Settings) -> None:
    for name, text in (("prompt", prompt), ("negative_prompt", negative_prompt or "")):
        if len(text) > settings.max_prompt_chars:
            limit = f"{name} has {len(text)} characters; {settings.max_prompt_chars} are allowed"
            raise ApiError(422, limit, name)


def _check_stop_after(request: JobRequest) -> None:
    kinds = request.cascade().kinds
    if request.stop_after is not None and request.stop_after not in kinds:
        offered = (
            f'preset "{request.preset}" has no stage {request.stop_after}; choose one of {", ".join(kinds)}'
        )
        raise ApiError(422, offered, "stop_after")


def _motion(model: str, name: str | None, conveyor: Conveyor) -> Motion | None:
    """The motion that a request names. Raises ApiError if the preset has none such."""
    if name is None:
        return None
    motion = conveyor.motions.find(model, name)
    if motion is None:
        offered = ", ".join(known.name for known in conveyor.motions.list(model)) or "it has none"
        raise ApiError(422, f'preset "{model}" has no motion "{name}"; choose from: {offered}', "motion")
    return motion


def _check_best_of(request: JobRequest, settings: Settings) -> None:
    if request.best_of > settings.max_best_of:
        raise ApiError(422, f"best_of may be 1 to {settings.max_best_of}", "best_of")


def _check_webhook_url(request: JobRequest, settings: Settings) -> None:
    if request.webhook_url is None:
        return
    try:
        check_url(request.webhook_url, private_targets=settings.webhook_private_targets)
    except ValueError as error:
        raise ApiError(422, f"webhook_url {error}", "webhook_url") from error


def existing(conveyor: Conveyor, video_id: str, caller: Caller) -> Job:
    """The caller's job; another project's is as good as none. Raises JobNotFound."""
    job = conveyor.jobs.get(video_id)
    if job is None or job.project != caller.project:
        raise JobNotFound(video_id)
    return job


REQUEST_BODY = {
    "required": True,
    "content": {
        media_type: {"schema": reference(CreateVideo), "example": EXAMPLE_REQUEST}
        for media_type in ("application/json", *FORM_TYPES)
    },
}


@router.post(
    "",
    responses=problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
    openapi_extra={"requestBody": REQUEST_BODY},
)
def create_video(
    caller: LimitedGenerator,
    body: Annotated[CreateVideo, Depends(read_body)],
    conveyor: Connected,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="The same key and request give the same video for 24 h."),
    ] = None,
) -> Video:
    """Queue a video."""
    request = _job_request(body, conveyor)
    if conveyor.settings.log_prompts:
        logger.info('key %s asks for "%s"', caller.key_id, request.prompt)
    if idempotency_key is None:
        return Video.of(conveyor.submit(request, caller.project), conveyor)
    sent = body.model_dump_json()
    return Video.of(conveyor.submit_once(request, caller.project, idempotency_key, sent), conveyor)


@router.get("", responses=problems(401, 403, 404, 422, 503))
def list_videos(
    caller: Reader,
    conveyor: Connected,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=64, description="Id of the last video seen.")] = None,
    order: Literal["asc", "desc"] = "desc",
) -> VideoList:
    """Videos in order of creation, the newest first unless asked otherwise."""
    jobs, has_more = conveyor.jobs.page(limit, after, caller.project, newest_first=order == "desc")
    return VideoList(
        data=[Video.of(job, conveyor) for job in jobs],
        first_id=jobs[0].id if jobs else None,
        last_id=jobs[-1].id if jobs else None,
        has_more=has_more,
    )


@router.get("/{video_id}", responses=problems(401, 403, 404, 503))
def get_video(video_id: VideoId, caller: Reader, conveyor: Connected, response: Response) -> Video:
    """A video's status, progress and, stage by stage, what there is to see."""
    response.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return Video.of(existing(conveyor, video_id, caller), conveyor)


@router.delete("/{video_id}", responses=problems(401, 403, 404, 503))
def delete_video(video_id: VideoId, caller: Generator, conveyor: Connected) -> VideoDeleted:
    """Delete a video and every byte of it; a running one is stopped."""
    conveyor.delete(existing(conveyor, video_id, caller).id)
    return VideoDeleted(id=video_id)


@router.post("/{video_id}/cancel", responses=problems(401, 403, 404, 409, 503))
def cancel_video(video_id: VideoId, caller: Generator, conveyor: Connected) -> Video:
    """Stop a queued or running video within one denoising step."""
    return Video.of(conveyor.cancel(existing(conveyor, video_id, caller).id), conveyor)


@router.post("/{video_id}/continue", responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503))
def continue_video(
    video_id: VideoId, caller: Generator, conveyor: Connected, body: ContinueVideo | None = None
) -> Video:
    """Let a completed draft go on from its stored clip, without repeating what is done."""
    draft = None if body is None else body.draft
    return Video.of(conveyor.continue_draft(existing(conveyor, video_id, caller).id, draft), conveyor)


@router.post("/{video_id}/remix", responses=problems(401, 403, 404, 409, 422, 429, 503))
def remix_video(video_id: VideoId, caller: LimitedGenerator, body: RemixVideo, conveyor: Connected) -> Video:
    """A new video from this one: other words, seed or parameters from a stage on; what is before is taken over."""
    source = existing(conveyor, video_id, caller)
    first = body.from_stage or source.stages[0].kind
    if first not in source.request.cascade().kinds:
        raise ApiError(422, f'preset "{source.request.preset}" has no stage {first}', "from_stage")
    if body.draft is not None:
        if first is source.stages[0].kind:
            raise ApiError(422, "a draft is taken over by the stages behind the first alone", "draft")
        source = choose_draft(source, body.draft)
    changes = body.model_dump(exclude={"from_stage", "draft"}, exclude_none=True)
    changes["steps"] = {**source.request.steps, **body.steps}
    changes["guidance_scale"] = {**source.request.guidance_scale, **body.guidance_scale}
    request = replace(source.request, stop_after=None, best_of=1, seed=source.seed)
    request = replace(request, **changes)
    _check_lengths(request.prompt, request.negative_prompt, conveyor.settings)
    _check_stop_after(request)
    return Video.of(conveyor.remix(source, request, first), conveyor)


CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Small tensors, as they are.",
        "content": {SAFETENSORS: {"schema": {"type": "string", "format": "binary"}}},
    },
    307: {
        "description": "The file is at a presigned URL.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    },
}


@router.get("/{video_id}/deliveries", responses=problems(401, 403, 404, 503))
def list_deliveries(video_id: VideoId, caller: Reader, conveyor: Connected) -> DeliveryList:
    """Every try to deliver the video's webhooks, and how it went."""
    tries = conveyor.webhooks.log(existing(conveyor, video_id, caller).id)
    return DeliveryList(data=[DeliveryView.of(delivery) for delivery in tries])


@router.get(
    "/{video_id}/content",
    status_code=307,
    response_class=RedirectResponse,
    responses=problems(401, 403, 404, 409, 422, 503) | CONTENT,
)
def download_video(
    video_id: VideoId,
    caller: Reader,
    conveyor: Connected,
    variant: Annotated[
        Variant, Query(description="What to download; spritesheet is the contact sheet.")
    ] = "video",
    stage: Annotated[StageKind | None, Query(description="A stage's clip instead of the last.")] = None,
) -> Response:
    """Redirect to a presigned URL of the file; small tensors are sent as they are."""
    job = existing(conveyor, video_id, caller)
    if stage is not None and stage not in job.request.cascade().kinds:
        raise ApiError(422, f'preset "{job.request.preset}" has no stage {stage}', "stage")
    if stage is None and job.status is not JobStatus.COMPLETED:
        raise IllegalTransition(
            f"video {video_id} is {job.status}; its content can be had once it is completed"
        )
    record = job.result if stage is None else job.stage(stage)
    artifact = record.artifact if variant == "safetensors" else record.files.get(FILE_OF_VARIANT[variant])
    if artifact is None:
        kept = "is not kept any more" if record.status is StageStatus.COMPLETED else "is not there yet"
        raise IllegalTransition(f"the {variant} of stage {record.kind} of video {video_id} {kept}")
    if artifact.place == "redis":
        return Response(conveyor.artifacts.get(artifact), media_type=artifact.media_type)
    filename = f"{video_id}-{record.kind}.{ENDINGS[artifact.media_type]}"
    return RedirectResponse(conveyor.presign(artifact, filename), 307)
