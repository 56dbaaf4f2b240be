"""`/v1/videos/{id}/content`: the files of a video and of its stages."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import Queue, ServiceSettings
from cascade.service.api.file_response import file_response
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId, check_stage, own_video
from cascade.service.api.schemas.videos import Variant
from cascade.workers.errors import IllegalTransition
from cascade.workers.jobs.record import Artifact, JobStatus, StageRecord, StageStatus

router = APIRouter(prefix="/v1/videos", tags=["videos"])

RENDITIONS = {
    Variant.VIDEO: "mp4",
    Variant.THUMBNAIL: "thumbnail",
    Variant.SPRITESHEET: "png",
    Variant.WEBP: "webp",
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
MEDIA_TYPES = ("video/mp4", "image/webp", "image/png", "application/vnd.safetensors")
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": dict.fromkeys(MEDIA_TYPES, BINARY)},
    206: {
        "description": "The part of the file that the header Range asks for.",
        "content": dict.fromkeys((*MEDIA_TYPES, "multipart/byteranges"), BINARY),
    },
    304: {"description": "The client has the file: it is the one that If-None-Match names."},
    307: {
        "description": "The file is at a presigned URL, where the deployment says so.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    },
}


@router.get(
    "/{video_id}/content",
    response_class=Response,
    responses=problems(401, 403, 404, 409, 412, 416, 422, 503) | CONTENT,
)
def download_video(
    request: Request,
    video_id: VideoId,
    caller: Reader,
    queue: Queue,
    settings: ServiceSettings,
    variant: Annotated[
        Variant, Query(description="What to download; spritesheet is the contact sheet.")
    ] = Variant.VIDEO,
    stage: Annotated[str | None, Query(description="A stage's clip instead of the last.")] = None,
) -> Response:
    """Send a file, whole or by byte ranges; redirect to a presigned URL where CASCADE_CONTENT is `redirect`."""
    job = own_video(video_id, queue.jobs, caller)
    if stage is not None:
        check_stage(job, stage, "stage")
    elif job.status is not JobStatus.COMPLETED:
        raise IllegalTransition(f"video {video_id} is {job.status}; download it once it is completed")
    record = job.result if stage is None else job.stage(stage)
    artifact = _file(record, variant)
    if artifact is None:
        state = "has expired" if record.status is StageStatus.COMPLETED else "is not ready yet"
        raise IllegalTransition(f"the {variant} of stage {record.name} of video {video_id} {state}")
    filename = f"{video_id}-{record.name}.{variant.ending}"
    if settings.content == "redirect" and artifact.place == "s3":
        return RedirectResponse(
            queue.artifacts.objects.presign(artifact.key, filename, artifact.media_type), 307
        )
    return file_response(request.headers, artifact, filename, partial(queue.artifacts.open, artifact))


def _file(stage: StageRecord, variant: Variant) -> Artifact | None:
    return stage.artifact if variant is Variant.SAFETENSORS else stage.files.get(RENDITIONS[variant])
