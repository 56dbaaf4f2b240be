"""How long stages took, and how many were done: noted when a run of a stage is completed."""

from __future__ import annotations

from cascade.workers.jobs.record import Job, StageRecord, StageStatus
from cascade.workers.keys import done_key, stage_times_key
from cascade.workers.redis_client import RedisClient
from cascade.workers.transaction import Transaction

MAX_TIMES = 9
"""Runs whose median is what a stage takes."""
TIMES_TTL_S = 30 * 86_400
DONE_TTL_S = 7_200
HOUR_MINUTES = 60
MINUTE_S = 60


def note_completed(transaction: Transaction, before: Job | None, after: Job) -> None:
    """Note the time of a stage that is completed by a change, if there is one."""
    if before is None:
        return
    for old, new in zip(before.stages, after.stages, strict=True):
        if old.status is StageStatus.IN_PROGRESS and new.status is StageStatus.COMPLETED:
            _note(transaction, after, new)


def _note(transaction: Transaction, job: Job, stage: StageRecord) -> None:
    assert stage.started_at is not None and stage.finished_at is not None
    queue, seconds = job.queue(stage.name), stage.finished_at - stage.started_at
    done = done_key(queue, int(stage.finished_at // MINUTE_S))
    transaction.add("INCR", done)
    transaction.add("EXPIRE", done, DONE_TTL_S)
    if seconds < (stage.gpu_s or 0):
        return  # an earlier attempt had stored the output
    times = times_key(job, stage)
    transaction.add("LPUSH", times, round(seconds, 3))
    transaction.add("LTRIM", times, 0, MAX_TIMES - 1)
    transaction.add("EXPIRE", times, TIMES_TTL_S)


def times_key(job: Job, stage: StageRecord) -> str:
    """Name the times of runs of a stage that cost as much: same videos, frames and size, steps in all, guided or not."""
    spec = job.spec(stage.name)
    videos = job.request.best_of if stage.name == job.stage_names[0] else 1
    guided = "guided" if spec.guidance_scale != 1 else "unguided"
    choices = f"{videos}x{spec.frames}x{spec.height}x{spec.width}:{stage.steps}:{guided}"
    return stage_times_key(job.queue(stage.name), choices)


def done_last_hour(redis: RedisClient, queues: list[str], now: float) -> dict[str, int]:
    """Count the runs of each queue's stage that were completed in the last 60 minutes, this one included.

    Args:
        now: Redis's time in Unix seconds.
    """
    minutes = range(int(now // MINUTE_S) - HOUR_MINUTES + 1, int(now // MINUTE_S) + 1)
    counts = redis.mget([done_key(queue, minute) for queue in queues for minute in minutes]) if queues else []
    return {
        queue: sum(int(count or 0) for count in counts[index * HOUR_MINUTES : (index + 1) * HOUR_MINUTES])
        for index, queue in enumerate(queues)
    }
