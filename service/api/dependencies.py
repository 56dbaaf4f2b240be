"""Dependencies of the routes: each asks FastAPI only for what it needs of the gateway's connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from cascade.service.access.authentication import caller_of
from cascade.service.api.download_urls import DownloadUrls
from cascade.service.api.prompt_warnings import job_warnings
from cascade.service.api.schemas.videos import Video
from cascade.service.api.views import UrlFor, video_view, without_content
from cascade.service.problems import ApiError
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.store import JobStore
from cascade.workers.queue.estimates import Estimates
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.storage.motions import Motions
from cascade.workers.webhooks.delivery import Webhooks

ShowVideos = Callable[[Sequence[Job]], list[Video]]
ShowVideo = Callable[[Job], Video]


# Coroutines, because FastAPI would send plain functions to a thread each time.
async def connected_servers(request: Request) -> Servers:
    servers: Servers = request.app.state.servers
    return servers


Connected = Annotated[Servers, Depends(connected_servers)]


async def service_settings(servers: Connected) -> Settings:
    return servers.settings


async def job_queue(servers: Connected) -> JobQueue:
    return JobQueue.of(servers)


async def job_store(servers: Connected) -> JobStore:
    return JobStore(servers.redis, servers.settings)


async def motions(servers: Connected) -> Motions:
    return Motions.of(servers)


async def webhooks(servers: Connected) -> Webhooks:
    return Webhooks.of(servers)


async def url_for(request: Request, servers: Connected) -> UrlFor:
    return DownloadUrls(servers, servers.settings.public_url or str(request.base_url))


async def show_videos(request: Request, servers: Connected, presign: Presign) -> ShowVideos:
    settings, may_read = servers.settings, caller_of(request).may_read

    def show(jobs: Sequence[Job]) -> list[Video]:
        estimates = Estimates(servers.redis).of(jobs)
        videos = [
            video_view(
                *(job, presign, settings.result_ttl_s, job_warnings(job, settings.checkpoints_dir)),
                estimates.get(job.id),
            )
            for job in jobs
        ]
        return videos if may_read else [without_content(video) for video in videos]

    return show


async def show_video(show: Annotated[ShowVideos, Depends(show_videos)]) -> ShowVideo:
    return lambda job: show([job])[0]


ServiceSettings = Annotated[Settings, Depends(service_settings)]
Queue = Annotated[JobQueue, Depends(job_queue)]
Jobs = Annotated[JobStore, Depends(job_store)]
RegisteredMotions = Annotated[Motions, Depends(motions)]
ProjectWebhooks = Annotated[Webhooks, Depends(webhooks)]
Presign = Annotated[UrlFor, Depends(url_for)]
Show = Annotated[ShowVideo, Depends(show_video)]
ShowAll = Annotated[ShowVideos, Depends(show_videos)]


async def check_query(request: Request) -> None:
    """Refuse query parameters that the route does not have."""
    names = list(_query_names(request.scope["route"].dependant))
    unknown = [name for name in request.query_params if name not in names]
    if unknown:
        allowed = f"choose from {', '.join(names)}" if names else "it has none"
        raise ApiError(422, f'there is no query parameter "{unknown[0]}"; {allowed}', unknown[0])


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for nested in dependant.dependencies:
        yield from _query_names(nested)
