"""`/files`: stored files by signed URLs, which take the place of an API key."""

from __future__ import annotations

import hmac
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from cascade.service.api.dependencies import Connected, Queue
from cascade.service.api.download_urls import FILES, SignedFile, download_secret
from cascade.service.api.file_response import file_response
from cascade.service.api.own_videos import find_video
from cascade.service.problems import ApiError
from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.record import Artifact, Job
from cascade.workers.redis_client import server_time

router = APIRouter(prefix=FILES, include_in_schema=False)


@router.get("/{key:path}")
def download_file(
    request: Request,
    servers: Connected,
    queue: Queue,
    key: str,
    filename: Annotated[str, Query()],
    expires: Annotated[int, Query()],
    signature: Annotated[str, Query()],
) -> Response:
    """Send a file of a video or of one of its stages or drafts."""
    expected = SignedFile(key, filename, expires).signature(download_secret(servers.redis))
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise ApiError(403, "the signature of this URL is wrong; ask for the video again")
    if expires < server_time(servers.redis):
        raise ApiError(403, "this URL has expired; ask for the video again")
    artifact = _artifact(find_video(key.split("/")[1], queue.jobs), key)
    if servers.settings.content == "redirect" and artifact.place == "s3":
        return RedirectResponse(servers.objects.presign(key, filename, artifact.media_type), 307)
    return file_response(request.headers, artifact, filename, partial(queue.artifacts.open, artifact))


def _artifact(job: Job, key: str) -> Artifact:
    """Find a stored file of a job by its key. Raises JobNotFound if it has none such any more."""
    files = [file for stage in job.stages for file in stage.files.values()]
    files += [file for stage in job.stages for draft in stage.drafts for file in draft.files.values()]
    for file in files:
        if file.key == key:
            return file
    raise JobNotFound(job.id)
