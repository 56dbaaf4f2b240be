"""`/v1/ops`: what operators look at and do. It shows all projects, but no prompts."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.models.presets.spec import queue_name
from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import Admin
from cascade.service.api.dependencies import Connected, Queue
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId
from cascade.service.api.schemas.operations import Operations, Replayed
from cascade.service.api.views import active_video, dead_letter_view, queue_view, worker_view
from cascade.service.problems import ApiError
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.queue.heartbeat import live_workers

router = APIRouter(prefix="/v1/ops", tags=["operations"])


@router.get("", responses=problems(401, 403, 503))
def operations(_: Admin, servers: Connected, queue: Queue) -> Operations:
    """Show queues, workers, unfinished videos and dead letters."""
    workers = live_workers(servers.redis)
    presets = [get_preset(name) for name in servers.settings.presets]
    return Operations(
        queues=[
            queue_view(preset, spec, queue.queue.waiting(queue_name(preset.name, spec.name)), workers)
            for preset in presets
            for spec in preset.stages
        ],
        workers=[worker_view(worker) for worker in workers],
        videos=[active_video(job) for job in queue.active_jobs()],
        dead_letters=[dead_letter_view(letter) for letter in queue.dead_letters.list()],
    )


@router.post("/dead_letters/{video_id}/replay", responses=problems(401, 403, 404, 409, 429, 503))
def replay_dead_letter(video_id: VideoId, _: Admin, queue: Queue) -> Replayed:
    """Let a failed video go on from the stage where it failed, with fresh attempts."""
    _check_letter(video_id, queue.dead_letters)
    return Replayed(video_id=video_id, status=queue.replay(video_id).status)


@router.delete("/dead_letters/{video_id}", status_code=204, responses=problems(401, 403, 404, 503))
def dismiss_dead_letter(video_id: VideoId, _: Admin, queue: Queue) -> None:
    """Take a dead letter off the list; the video stays failed."""
    _check_letter(video_id, queue.dead_letters)
    queue.dead_letters.remove(video_id)


def _check_letter(video_id: str, letters: DeadLetters) -> None:
    if all(letter.job_id != video_id for letter in letters.list()):
        raise ApiError(404, f'there is no dead letter of a video "{video_id}"')
