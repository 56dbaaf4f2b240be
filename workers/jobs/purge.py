"""Purge: the bytes of a deleted job go, however long the object store is away.

The transaction that deletes a record puts the job into `cascade:due:objects`; its entry goes when the store has confirmed
that nothing is left. A worker that did not know yet may store something afterwards: every job is looked at a second time.
"""

from __future__ import annotations

import logging
from typing import Self

from cascade.workers.jobs.due import DueSet
from cascade.workers.keys import OBJECTS_DUE, job_key
from cascade.workers.redis_client import RedisClient, server_time
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore

logger = logging.getLogger(__name__)

SECOND_LOOK_S = 300.0
"""By then a worker that was storing an output when its job was deleted has noticed."""
SECOND = "/second"


def purge_later(redis: RedisClient, job_id: str) -> None:
    """Note that the bytes of a job without a record are to go."""
    redis.zadd(OBJECTS_DUE, {job_id: server_time(redis)}, nx=True)


def look_again(redis: RedisClient, job_id: str) -> None:
    """Note that a deleted job's bytes are deleted, so that they are looked for a second time."""
    with redis.pipeline(transaction=True) as pipe:
        pipe.zrem(OBJECTS_DUE, job_id)
        pipe.zadd(OBJECTS_DUE, {job_id + SECOND: server_time(redis) + SECOND_LOOK_S})
        pipe.execute()


class Purge:
    """Deletes what deleted jobs had stored. A fault is raised; the job that met it waits, and others go first."""

    def __init__(self, redis: RedisClient, artifacts: ArtifactStore) -> None:
        self.redis, self.artifacts = redis, artifacts
        self.due = DueSet(redis, OBJECTS_DUE)

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, ArtifactStore.of(servers))

    def sweep(self) -> int:
        """Delete what is due now; return how many jobs were looked at."""
        due = self.due.entries()
        for entry in due:
            with self.due.postponed_on_fault(entry):
                self._purge(entry.removesuffix(SECOND))
            if entry.endswith(SECOND):
                self.due.remove(entry)
            else:
                look_again(self.redis, entry)
        return len(due)

    def _purge(self, job_id: str) -> None:
        if self.redis.exists(job_key(job_id)):
            logger.warning("%s was to be purged, but has a record: its objects stay", job_id)
            return
        self.artifacts.delete_job(job_id)
