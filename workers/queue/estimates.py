"""Estimates: where a job stands in the line of its stage, and when it will be done.

They rest on how long the last runs of each stage took that cost as much (`jobs/stage_times.py`), and on what waits and who
works now. All jobs of a list are estimated from one look at Redis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cascade.workers.jobs.record import Job, StageRecord, StageStatus
from cascade.workers.jobs.stage_times import times_key
from cascade.workers.keys import LEASE_HOLDERS, WORKERS, heartbeat_key, line_key, waiting_key
from cascade.workers.queue.heartbeat import parse_heartbeat
from cascade.workers.redis_client import RedisClient, load_script

HALF = 0.5
"""What is left on average of a run that is under way."""


@dataclass(frozen=True)
class Estimate:
    """When a job goes on, and ends.

    Attributes:
        position: in the line of its stage, 1 is next; None while it does not wait there.
        seconds_left: until the end; None where a stage that it has before it was not measured.
    """

    position: int | None
    seconds_left: float | None


@dataclass(frozen=True)
class Line:
    """The line of one queue: stages that wait, that run, and live workers that serve it."""

    waiting: int
    running: int
    workers: int


class Estimates:
    """Estimates jobs that are not over."""

    def __init__(self, redis: RedisClient) -> None:
        self._read = load_script(redis, "queue/read_lines.lua")

    def of(self, jobs: Iterable[Job]) -> dict[str, Estimate]:
        """Estimate jobs, by their ids; those that are over are left out. One round trip, none if all are."""
        unfinished = [job for job in jobs if not job.status.final and job.open_stage is not None]
        if not unfinished:
            return {}
        queues = list(
            dict.fromkeys(job.queue(stage.name) for job in unfinished for stage in remaining_stages(job))
        )
        keys = list(
            dict.fromkeys(times_key(job, stage) for job in unfinished for stage in remaining_stages(job))
        )
        lines_words = [word for queue in queues for word in (line_key(queue), waiting_key(queue, ""))]
        job_words = [word for job in unfinished for word in _place_words(job, queues)]
        waiting, places, times, leases, heartbeats = self._read(
            keys=[LEASE_HOLDERS, WORKERS],
            args=[len(queues), *lines_words, len(unfinished), *job_words, *keys, heartbeat_key("")],
        )
        serving = [parse_heartbeat(heartbeat).queues for heartbeat in heartbeats]
        running = [lease.decode().partition("/")[2] for lease in leases]
        lines = {
            queue: Line(count, running.count(queue), sum(queue in served for served in serving))
            for queue, count in zip(queues, waiting, strict=True)
        }
        seconds = {key: median(map(float, values)) for key, values in zip(keys, times, strict=True) if values}
        return {
            job.id: Estimate(place or None, seconds_left(job, place or None, lines, seconds))
            for job, place in zip(unfinished, places, strict=True)
        }


def _place_words(job: Job, queues: Sequence[str]) -> tuple[int, str, str]:
    assert job.open_stage is not None
    return queues.index(job.queue(job.open_stage)) + 1, job.project, job.id


def remaining_stages(job: Job) -> tuple[StageRecord, ...]:
    """Return the stage of an unfinished job that waits or runs, and those after it, up to where a draft ends."""
    assert job.open_stage is not None
    names = job.stage_names
    last = names[-1] if job.request.stop_after is None else job.request.stop_after
    return job.stages[names.index(job.open_stage) : names.index(last) + 1]


def seconds_left(
    job: Job, position: int | None, lines: Mapping[str, Line], seconds: Mapping[str, float]
) -> float | None:
    """Estimate how long an unfinished job still takes.

    It begins a stage once it is there and a worker has done what is before it: what waits in the stage's line, and what comes
    from the lines of the stages before. All of that is taken to cost as much as the job itself.

    Args:
        position: in the line of the open stage.
        lines: by queue.
        seconds: that a stage takes, by the name of its times.
    Returns:
        None where a stage was not measured.
    """
    arrival, before = 0.0, Before(0, 0.0, 0.0)
    for stage in remaining_stages(job):
        duration, line = seconds.get(times_key(job, stage)), lines[job.queue(stage.name)]
        if duration is None:
            return None
        if stage.status is StageStatus.IN_PROGRESS:
            arrival = duration * (1 - stage.step / stage.steps)
            continue
        waiting = line.waiting if stage.status is StageStatus.PENDING else (position or 1) - 1
        free_at, before = before.pass_stage(duration, waiting, line.running, max(line.workers, 1))
        arrival = max(arrival, free_at) + duration
    return arrival


@dataclass(frozen=True)
class Before:
    """The jobs before one that come to a stage from earlier ones: how many, and when the first and the last arrive."""

    number: int
    first: float
    last: float

    def pass_stage(self, duration: float, waiting: int, running: int, workers: int) -> tuple[float, Before]:
        """Let them pass a stage behind those that wait and run there.

        Returns:
            When a worker is free of all of them, and all as they come to the next stage.
        """
        free_at = duration * (waiting + HALF * running) / workers if waiting or running >= workers else 0.0
        first = HALF * duration if running else duration if waiting else self.first + duration
        last = max(free_at, first)
        if self.number:
            done = max(free_at, self.first) + self.number * duration / workers
            free_at, last = max(done, self.last + duration / workers), max(done, self.last + duration)
        return free_at, Before(self.number + waiting + running, first, last)
