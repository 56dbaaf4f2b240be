"""Adoption: open jobs with a record of version 1 move to the queues of this version.

Version 1 had one queue per kind of stage, which all presets shared, and one round of turns. A new queue's name always
has a preset in it, so the names of stages alone are keys of version 1.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Self

from cascade.models.presets.table import PRESETS
from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.jobs.admission import Admission
from cascade.workers.jobs.record import Job, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import hand_back_stage
from cascade.workers.keys import LEASE_HOLDERS, LEASES, VERSION_1, VERSION_1_WAITING
from cascade.workers.logs import logging_job
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adoption:
    """Repeating it, or running it twice at once, costs time, never correctness."""

    redis: RedisClient
    jobs: JobStore
    queue: StageQueue
    admission: Admission

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            redis=servers.redis,
            jobs=JobStore(servers.redis, servers.settings),
            queue=StageQueue.of(servers),
            admission=Admission(servers.redis, servers.settings),
        )

    def adopt(self) -> int:
        """Move all open jobs of version 1, oldest first, and empty what that version had; return how many moved.

        The workers of version 1 must have stopped.
        """
        jobs = []
        for job_id in self.admission.active():
            with logging_job(job_id):
                jobs += self._outdated(job_id)
        for job in sorted(jobs, key=lambda job: job.created_at):
            with logging_job(job.id):
                self._adopt(job)
        self._empty()
        return len(jobs)

    def _outdated(self, job_id: str) -> list[Job]:
        try:
            job = self.jobs.get(job_id) if self.jobs.version(job_id) == 1 else None
        except UnreadableRecord as error:
            logger.error("the job is refused, and deleted with other ended jobs: %s", error)  # noqa: TRY400
            self.jobs.refuse(job_id, time.time())
            return []
        return [] if job is None or job.open_stage is None else [job]

    def _adopt(self, job: Job) -> None:
        stage = job.open_stage
        assert stage is not None
        # Queued first: a record that is written before could be left without a message. Where a worker is faster than
        # the change of the record, it has written this version already, and the change is refused.
        self.queue.put(job, stage)
        try:
            self.jobs.update(job.id, lambda job: _handed_back(job, stage), version=1)
        except (JobNotFound, IllegalTransition) as reason:
            logger.info("the record is not changed: %s", reason)
        logger.info("stage %s is adopted into %s", stage, job.queue(stage))

    def _empty(self) -> None:
        names = dict.fromkeys(name for preset in PRESETS.values() for name in preset.stage_names)
        waiting = self.redis.scan_iter(match=VERSION_1_WAITING, count=1000)
        self.redis.delete(*names, *VERSION_1, *waiting)
        leases = [member.decode() for member in self.redis.zrange(LEASES, 0, -1)]
        old = [member for member in leases if member.split("/", 1)[1] in names]
        if old:
            self.redis.zrem(LEASES, *old)
            self.redis.hdel(LEASE_HOLDERS, *old)


def _handed_back(job: Job, stage: str) -> Job:
    return hand_back_stage(job, stage) if job.stage(stage).status is StageStatus.IN_PROGRESS else job
