"""Admission: how many jobs may be under way, in all and by project, decided before anything is stored."""

from __future__ import annotations

from typing import Any

from cascade.workers.settings import Settings

ACTIVE = "cascade:active"

RESERVE = """
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 'ok' end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 'full' end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 'quota' end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 'ok'
"""


class QueueFull(Exception):
    """The deployment has as many unfinished jobs as it takes."""


class QuotaExceeded(Exception):
    """The project has as many unfinished jobs as it may."""


class Admission:
    """The unfinished jobs, counted."""

    def __init__(self, redis: Any, settings: Settings) -> None:
        self.redis, self.settings = redis, settings

    def reserve(self, job_id: str, project: str) -> None:
        """Count a job as unfinished.

        Raises:
            QueueFull, QuotaExceeded: say how many are allowed, and where to change it.
        """
        most, by_project = self.settings.max_active_jobs, self.settings.max_active_jobs_per_project
        keys = (ACTIVE, active_key(project))
        answer = self.redis.eval(RESERVE, 2, *keys, job_id, most, by_project)
        if answer == b"full":
            raise QueueFull(f"{most} videos are under way, which is all this service takes; try again later")
        if answer == b"quota":
            raise QuotaExceeded(
                f"{by_project} videos of this project are under way, which is all it may have"
            )

    def release(self, job_id: str, project: str) -> None:
        release(self.redis, job_id, project)


def release(pipe: Any, job_id: str, project: str) -> None:
    """The job is over: it counts no more. `pipe` may be a transaction."""
    pipe.srem(ACTIVE, job_id)
    pipe.srem(active_key(project), job_id)


def active_key(project: str) -> str:
    return f"cascade:active:{project}"
