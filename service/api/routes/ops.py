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
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.record import Job
from cascade.workers.queue.heartbeat import Worker, live_workers

router = APIRouter(prefix="/v1/ops", tags=["operations"])

MAX_VIDEOS = 50
MAX_DEAD_LETTERS = 50


@router.get("", responses=problems(401, 403, 503))
def operations(_: Admin, servers: Connected, queue: Queue) -> Operations:
    """Show queues, workers, up to 50 unfinished videos and the last 50 dead letters."""
    workers = live_workers(servers.redis)
    unfinished = queue.jobs.open_jobs()
    letters = queue.dead_letters.list()
    presets = [get_preset(name) for name in servers.settings.presets]
    return Operations(
        queues=[
            queue_view(preset, spec, queue.waiting.count(queue_name(preset.name, spec.name)), workers)
            for preset in presets
            for spec in preset.stages
        ],
        workers=[worker_view(worker) for worker in workers],
        videos=[active_video(job) for job in _some_of(unfinished, workers, queue)],
        unfinished=len(unfinished),
        dead_letters=[dead_letter_view(letter) for letter in letters[-MAX_DEAD_LETTERS:]],
        failed=len(letters),
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


def _some_of(unfinished: list[str], workers: list[Worker], queue: JobQueue) -> list[Job]:
    """Return MAX_VIDEOS unfinished jobs, those that workers have before others; the same ones each time, oldest first."""
    running = {worker.job_id for worker in workers}
    chosen = sorted(unfinished, key=lambda job_id: (job_id not in running, job_id))[:MAX_VIDEOS]
    return sorted(queue.jobs.get_all(chosen), key=lambda job: job.created_at)


def _check_letter(video_id: str, letters: DeadLetters) -> None:
    if all(letter.job_id != video_id for letter in letters.list()):
        raise ApiError(404, f'there is no dead letter of a video "{video_id}"')
