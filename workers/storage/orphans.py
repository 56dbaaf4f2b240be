"""Orphans: objects that no record knows, as a Redis that lost its data leaves them.

An object is deleted if it is older than `orphan_age_s` by the object store's own clock, and nothing knew it in the
look before either. The store is listed page by page, 24 times in that age and not more often than the housekeeper looks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Self

from cascade.workers.keys import job_key
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import JOBS
from cascade.workers.storage.motions import MOTION_OBJECTS, Motions
from cascade.workers.storage.object_store import ObjectStore, StoredObject

logger = logging.getLogger(__name__)

LOOKS_PER_AGE = 24


class Orphans:
    """Deletes objects without a record. One bucket belongs to one deployment."""

    def __init__(
        self, redis: RedisClient, objects: ObjectStore, motions: Motions, age_s: float, motion_age_s: float
    ) -> None:
        """Begin with nothing found.

        Args:
            age_s: a job's object without a record stays for this long; 0 for ever.
            motion_age_s: likewise of a motion that is not registered, which jobs may still use.
        """
        self.redis, self.objects, self.motions = redis, objects, motions
        self.age_s, self.motion_age_s = age_s, motion_age_s
        self._suspects: set[str] = set()
        self._next_look = 0.0

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        settings = servers.settings
        return cls(
            servers.redis,
            servers.objects,
            Motions.of(servers),
            settings.orphan_age_s,
            settings.orphan_age_s + settings.result_ttl_s,
        )

    def sweep(self) -> int:
        """Look for orphans if it is time; return how many objects were deleted.

        Raises:
            RedisError, BotoCoreError, ClientError: a server does not answer; nothing is deleted that was not checked.
        """
        if not self.age_s or time.monotonic() < self._next_look:
            return 0
        self._next_look = time.monotonic() + self.age_s / LOOKS_PER_AGE
        suspects, deleted = set[str](), 0
        for page in self.objects.pages(JOBS):
            old = [found for found in page if found.age_s >= self.age_s]
            deleted += self._settle(self._without_job(old), suspects)
        for page in self.objects.pages(MOTION_OBJECTS):
            old = [found for found in page if found.age_s >= self.motion_age_s]
            deleted += self._settle(self._not_registered(old), suspects)
        self._suspects = suspects
        return deleted

    def _settle(self, orphans: Iterable[str], suspects: set[str]) -> int:
        """Delete those that were found before; the others become suspects."""
        keys = list(orphans)
        again = [key for key in keys if _owner(key) in self._suspects]
        suspects |= set(map(_owner, keys))
        if again:
            self.objects.delete(again)
            logger.warning(
                "%d objects that no record knows are deleted, the first is %s", len(again), again[0]
            )
        return len(again)

    def _without_job(self, objects: list[StoredObject]) -> list[str]:
        owners = sorted({_owner(found.key) for found in objects})
        with self.redis.pipeline(transaction=False) as pipe:
            for owner in owners:
                pipe.exists(job_key(owner.removeprefix(JOBS)))
            known = {owner for owner, exists in zip(owners, pipe.execute(), strict=True) if exists}
        return [found.key for found in objects if _owner(found.key) not in known]

    def _not_registered(self, objects: list[StoredObject]) -> list[str]:
        known = {motion.key for motion in self.motions.list()} if objects else set()
        return [found.key for found in objects if found.key not in known]


def _owner(key: str) -> str:
    """Name what an object belongs to: all objects of a job, or a motion's only one."""
    return "/".join(key.split("/", 2)[:2]) if key.startswith(JOBS) else key
