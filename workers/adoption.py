"""Adoption: open jobs that an earlier version of Cascade left move to the queues of this version.

Version 1 had one queue per kind of stage, which all presets shared, and one round of turns; a new queue's name always
has a preset in it, so the names of stages alone are keys of version 1. Until 0.2 no job waited in a line of ours.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

from cascade.models.presets.table import PRESETS
from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.jobs.record import Job, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import hand_back_stage
from cascade.workers.keys import EARLIER_ACTIVE, EARLIER_WAITING, LEASE_HOLDERS, LEASES, VERSION_1
from cascade.workers.logs import logging_job
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adoption:
    """Repeating it, or running it twice at once, costs time, never correctness."""

    redis: RedisClient
    jobs: JobStore

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, JobStore(servers.redis, servers.settings))

    def adopt(self) -> int:
        """Move all open jobs of earlier versions, and empty what those had; return how many moved.

        The workers of earlier versions must have stopped. The reconciler sends the wake-ups.
        """
        adopted = 0
        for member in self.redis.smembers(EARLIER_ACTIVE):
            job_id = member.decode()
            with logging_job(job_id):
                adopted += self._adopt(job_id)
            self.redis.srem(EARLIER_ACTIVE, job_id)
        self._empty()
        return adopted

    def _adopt(self, job_id: str) -> bool:
        try:
            if self.jobs.version(job_id) == 1:
                self.jobs.update(job_id, _handed_back, version=1)
            job = self.jobs.restore(job_id)
        except UnreadableRecord as error:
            logger.error("the job is refused, and deleted with other ended jobs: %s", error)  # noqa: TRY400
            self.jobs.refuse(job_id)
            return False
        except (JobNotFound, IllegalTransition) as reason:
            logger.info("the job is left as it is: %s", reason)
            return False
        if job is None or job.open_stage is None:
            return False
        logger.info("stage %s is adopted into %s", job.open_stage, job.queue(job.open_stage))
        return True

    def _empty(self) -> None:
        names = dict.fromkeys(name for preset in PRESETS.values() for name in preset.stage_names)
        earlier = [
            key for pattern in EARLIER_WAITING for key in self.redis.scan_iter(match=pattern, count=1000)
        ]
        self.redis.delete(*names, *VERSION_1, *earlier)
        leases = [member.decode() for member in self.redis.zrange(LEASES, 0, -1)]
        old = [member for member in leases if member.split("/", 1)[1] in names]
        if old:
            self.redis.zrem(LEASES, *old)
            self.redis.hdel(LEASE_HOLDERS, *old)


def _handed_back(job: Job) -> Job:
    stage = job.open_stage
    if stage is None or job.stage(stage).status is not StageStatus.IN_PROGRESS:
        return job
    return hand_back_stage(job, stage)
