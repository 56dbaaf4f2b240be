"""Admission: how many jobs may be unfinished, in all and by project, decided before anything is stored."""

from __future__ import annotations

from cascade.workers.errors import QueueFull, QuotaExceeded
from cascade.workers.keys import ACTIVE, active_key
from cascade.workers.redis_client import RedisClient, load_script
from cascade.workers.settings import Settings


class Admission:
    """Counts the unfinished jobs."""

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        self.redis, self.settings = redis, settings
        self._reserve = load_script(redis, "jobs/reserve.lua")

    def reserve(self, job_id: str, project: str) -> None:
        """Count a job as unfinished.

        Raises:
            QueueFull, QuotaExceeded: say how many are allowed.
        """
        in_all, by_project = self.settings.max_active_jobs, self.settings.max_active_jobs_per_project
        answer: bytes = self._reserve(keys=[ACTIVE, active_key(project)], args=[job_id, in_all, by_project])
        if answer == b"full":
            raise QueueFull(
                f"{in_all} videos are under way, which is all this service takes; try again later"
            )
        if answer == b"quota":
            raise QuotaExceeded(
                f"{by_project} videos of this project are under way, which is all it may have"
            )

    def release(self, job_id: str, project: str) -> None:
        """Count a job as unfinished no more."""
        release(self.redis, job_id, project)

    def active(self) -> list[str]:
        """List the unfinished jobs of all projects, in no order."""
        return [job_id.decode() for job_id in self.redis.smembers(ACTIVE)]


def release(redis: RedisClient, job_id: str, project: str) -> None:
    """Count a job as unfinished no more; `redis` may be a transaction."""
    redis.srem(ACTIVE, job_id)
    redis.srem(active_key(project), job_id)
