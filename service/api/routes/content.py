"""`/v1/videos/{id}/content`: the files of a video and of its stages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import Presign, Queue
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
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Small tensors, as they are.",
        "content": {"application/vnd.safetensors": {"schema": {"type": "string", "format": "binary"}}},
    },
    307: {
        "description": "The file is at a presigned URL.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    },
}


@router.get(
    "/{video_id}/content",
    status_code=307,
    response_class=RedirectResponse,
    responses=problems(401, 403, 404, 409, 422, 503) | CONTENT,
)
def download_video(
    video_id: VideoId,
    caller: Reader,
    queue: Queue,
    url_for: Presign,
    variant: Annotated[
        Variant, Query(description="What to download; spritesheet is the contact sheet.")
    ] = Variant.VIDEO,
    stage: Annotated[str | None, Query(description="A stage's clip instead of the last.")] = None,
) -> Response:
    """Redirect to a presigned URL of the file; small tensors are sent as they are."""
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
    if artifact.place == "redis":
        return Response(queue.artifacts.get(artifact), media_type=artifact.media_type)
    return RedirectResponse(url_for(artifact, f"{video_id}-{record.name}.{variant.ending}"), 307)


def _file(stage: StageRecord, variant: Variant) -> Artifact | None:
    return stage.artifact if variant is Variant.SAFETENSORS else stage.files.get(RENDITIONS[variant])
