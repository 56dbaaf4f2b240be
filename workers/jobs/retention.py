"""Retention: an ended job stays for a while, then it is deleted, its tensors first and the rest later.

The two due times of a job are set in the transaction that ends it, and taken back when it goes on.
"""

from __future__ import annotations

import logging
from typing import Self

from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.due import DueSet
from cascade.workers.jobs.transitions import drop_intermediates
from cascade.workers.keys import INTERMEDIATES_DUE, JOBS_DUE
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)


class Retention:
    """Deletes what is due. A fault is raised; the entry that met it waits, and others go first the next time."""

    def __init__(self, redis: RedisClient, queue: JobQueue) -> None:
        self.queue = queue
        self.jobs_due, self.intermediates_due = DueSet(redis, JOBS_DUE), DueSet(redis, INTERMEDIATES_DUE)

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, JobQueue.of(servers))

    def sweep(self) -> int:
        """Delete what is due now; return how many jobs were touched."""
        return self.sweep_jobs() + self.sweep_intermediates()

    def sweep_jobs(self) -> int:
        """Delete the jobs that are due now; return how many were touched."""
        due = self.jobs_due.entries()
        for job_id in due:
            with self.jobs_due.postponed_on_fault(job_id):
                if self._is_over(job_id):
                    self.queue.delete(job_id)
                    logger.info("%s has expired and is deleted", job_id)
            self.jobs_due.remove(job_id)
        return len(due)

    def sweep_intermediates(self) -> int:
        """Delete the tensors that are due now; return how many jobs were touched."""
        due = self.intermediates_due.entries()
        for job_id in due:
            with self.intermediates_due.postponed_on_fault(job_id):
                self._delete_tensors(job_id)
            self.intermediates_due.remove(job_id)
        return len(due)

    def _delete_tensors(self, job_id: str) -> None:
        try:
            self.queue.jobs.update(job_id, drop_intermediates)
        except (JobNotFound, IllegalTransition, UnreadableRecord) as reason:
            logger.info("the tensors of %s stay: %s", job_id, reason)
        else:
            self.queue.artifacts.delete_tensors(job_id)

    def _is_over(self, job_id: str) -> bool:
        try:
            job = self.queue.jobs.get(job_id)
        except UnreadableRecord:
            return True  # nobody can work on it
        return job is not None and job.status.final
