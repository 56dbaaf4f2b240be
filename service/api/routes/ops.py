"""`/v1/ops`: what operators look at and do. It shows all projects, but prompts and clips of their own alone."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.models.presets.spec import queue_name
from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import Admin
from cascade.service.api.dependencies import Connected, Presign, Queue
from cascade.service.api.openapi import problems
from cascade.service.api.own_videos import VideoId
from cascade.service.api.schemas.operations import Operations, QueueView, Replayed
from cascade.service.api.views import (
    QueueLoad,
    UrlFor,
    active_video,
    dead_letter_view,
    queue_view,
    worker_view,
)
from cascade.service.problems import ApiError
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.stage_times import done_last_hour
from cascade.workers.queue.heartbeat import Worker, live_workers
from cascade.workers.servers import Servers

router = APIRouter(prefix="/v1/ops", tags=["operations"])

MAX_VIDEOS = 50
MAX_DEAD_LETTERS = 50


@router.get("", responses=problems(401, 403, 503))
def operations(caller: Admin, servers: Connected, queue: Queue, url_for: Presign) -> Operations:
    """Show queues, workers, up to 50 unfinished videos and the last 50 dead letters.

    Prompts and clips are those of the caller's project alone, and only for a key that has the scope `read` too.
    """
    workers, unfinished, letters = (
        live_workers(servers.redis),
        queue.jobs.open_jobs(),
        queue.dead_letters.list(),
    )
    last_letters = letters[-MAX_DEAD_LETTERS:]
    some = _some_of(unfinished, workers)
    wanted = {*some, *(letter.job_id for letter in last_letters), *(w.job_id for w in workers if w.job_id)}
    jobs = {job.id: job for job in queue.jobs.get_all(wanted)}

    def content_of(job: Job | None) -> UrlFor | None:
        own = job is not None and caller.may_read and job.project == caller.project
        return url_for if own else None

    shown = sorted((jobs[job_id] for job_id in some if job_id in jobs), key=lambda job: job.created_at)
    return Operations(
        queues=_queues(servers, queue, workers),
        workers=[worker_view(worker, jobs.get(worker.job_id or "")) for worker in workers],
        videos=[active_video(job, content_of(job)) for job in shown],
        unfinished=len(unfinished),
        dead_letters=[
            dead_letter_view(letter, job, content_of(job))
            for letter in last_letters
            for job in (jobs.get(letter.job_id),)
        ],
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


def _queues(servers: Servers, queue: JobQueue, workers: list[Worker]) -> list[QueueView]:
    """Show the queues of all presets that are offered."""
    stages = [
        (preset, spec)
        for name in servers.settings.presets
        for preset in (get_preset(name),)
        for spec in preset.stages
    ]
    names = [queue_name(preset.name, spec.name) for preset, spec in stages]
    done = done_last_hour(servers.redis, names, queue.jobs.now())
    running = queue.waiting.running()
    return [
        queue_view(preset, spec, QueueLoad(queue.waiting.count(name), running[name], done[name]), workers)
        for name, (preset, spec) in zip(names, stages, strict=True)
    ]


def _some_of(unfinished: list[str], workers: list[Worker]) -> list[str]:
    """Choose MAX_VIDEOS unfinished jobs, those that workers have before others; the same ones each time."""
    running = {worker.job_id for worker in workers}
    return sorted(unfinished, key=lambda job_id: (job_id not in running, job_id))[:MAX_VIDEOS]


def _check_letter(video_id: str, letters: DeadLetters) -> None:
    if all(letter.job_id != video_id for letter in letters.list()):
        raise ApiError(404, f'there is no dead letter of a video "{video_id}"')
