"""Retention: an ended job stays for a while, then it is deleted, its tensors first and the rest later.

The two due times of a job are set in the transaction that ends it, and taken back when it goes on.
"""

from __future__ import annotations

import logging
import time
from typing import Self

from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.transitions import drop_intermediates
from cascade.workers.keys import INTERMEDIATES_DUE, JOBS_DUE
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)

BATCH = 100


class Retention:
    """Deletes what is due."""

    def __init__(self, redis: RedisClient, queue: JobQueue) -> None:
        self.redis, self.queue = redis, queue

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, JobQueue.of(servers))

    def sweep(self) -> int:
        """Delete what is due now; return how many jobs were touched."""
        return self._sweep_intermediates() + self._sweep_jobs()

    def _sweep_intermediates(self) -> int:
        due = self._due(INTERMEDIATES_DUE)
        for job_id in due:
            try:
                self.queue.jobs.update(job_id, drop_intermediates)
                self.queue.artifacts.delete_tensors(job_id)
            except (JobNotFound, IllegalTransition, UnreadableRecord) as reason:
                logger.info("the tensors of %s stay: %s", job_id, reason)
            self.redis.zrem(INTERMEDIATES_DUE, job_id)
        return len(due)

    def _sweep_jobs(self) -> int:
        due = self._due(JOBS_DUE)
        for job_id in due:
            if self._is_over(job_id):
                self.queue.delete(job_id)
                logger.info("%s has expired and is deleted", job_id)
            self.redis.zrem(JOBS_DUE, job_id)
        return len(due)

    def _is_over(self, job_id: str) -> bool:
        try:
            job = self.queue.jobs.get(job_id)
        except UnreadableRecord:
            return True  # nobody can work on it
        return job is not None and job.status.final

    def _due(self, key: str) -> list[str]:
        job_ids = self.redis.zrange(key, "-inf", time.time(), byscore=True, offset=0, num=BATCH)
        return [job_id.decode() for job_id in job_ids]
