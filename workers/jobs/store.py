"""Job records in Redis: compare-and-set updates and a list in order of creation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from redis.exceptions import WatchError

from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.jobs.admission import release
from cascade.workers.jobs.codec import dump_job, load_job, project_of, version_of
from cascade.workers.jobs.events import announce, publish
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.transitions import expiry
from cascade.workers.keys import (
    INTERMEDIATES_DUE,
    JOBS_DUE,
    WEBHOOKS,
    deliveries_key,
    events_key,
    job_key,
    jobs_key,
)
from cascade.workers.redis_client import RedisClient
from cascade.workers.settings import Settings

logger = logging.getLogger(__name__)


class JobStore:
    """All reads and writes of job records. Reading raises UnreadableRecord for one that this version does not know."""

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        self.redis, self.settings = redis, settings

    def create(self, job: Job) -> None:
        """Write a new record and put it into its project's list."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(job_key(job.id), dump_job(job))
            pipe.zadd(jobs_key(job.project), {job.id: job.created_at})
            publish(pipe, None, job)
            pipe.execute()

    def get(self, job_id: str) -> Job | None:
        """Read a record; None if there is none."""
        stored = self.redis.get(job_key(job_id))
        return None if stored is None else load_job(stored)

    def get_all(self, job_ids: Iterable[str]) -> list[Job]:
        """Return those of several jobs that there are; one with an unreadable record is logged and left out."""
        keys = [job_key(job_id) for job_id in job_ids]
        jobs = []
        for stored in self.redis.mget(keys) if keys else []:
            try:
                jobs += [] if stored is None else [load_job(stored)]
            except UnreadableRecord as error:
                logger.warning("a job is left out: %s", error)
        return jobs

    def update(self, job_id: str, change: Callable[[Job], Job], version: int | None = None) -> Job:
        """Apply a pure transition to the record as it is now, again if another writer was faster.

        Args:
            version: change only a record that is stored in this version.
        Raises:
            JobNotFound: the job was deleted.
            IllegalTransition: `change` refused, or the record is of another version.
        """
        key = job_key(job_id)
        with self.redis.pipeline(transaction=True) as pipe:
            while True:
                pipe.watch(key)
                stored = pipe.get(key)
                if stored is None:
                    raise JobNotFound(job_id)
                if version not in (None, version_of(stored)):
                    raise IllegalTransition(f"the record of job {job_id} is not of version {version}")
                before = load_job(stored)
                job = change(before)
                pipe.multi()
                pipe.set(key, dump_job(job))
                publish(pipe, before, job)
                if job.status.final and not before.status.final:
                    self._end(pipe, job)
                elif before.status.final and not job.status.final:
                    _unschedule(pipe, job_id)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return job

    def version(self, job_id: str) -> int | None:
        """Return the version that a job's record is stored in; None if there is no such job."""
        stored = self.redis.get(job_key(job_id))
        return None if stored is None else version_of(stored)

    def delete(self, job_id: str) -> bool:
        """Remove the record, also one of an unknown version; return whether there was one."""
        stored = self.redis.get(job_key(job_id))
        if stored is None:
            return False
        project = project_of(stored)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.delete(job_key(job_id), events_key(job_id), deliveries_key(job_id))
            pipe.zrem(jobs_key(project), job_id)
            announce(pipe, job_id)
            release(pipe, job_id, project)
            _unschedule(pipe, job_id)
            return bool(pipe.execute()[0])

    def refuse(self, job_id: str, now: float) -> None:
        """Release a job whose record cannot be read from admission, and schedule its deletion as if it ended now."""
        stored = self.redis.get(job_key(job_id))
        if stored is None:
            return
        with self.redis.pipeline(transaction=True) as pipe:
            release(pipe, job_id, project_of(stored))
            pipe.zadd(JOBS_DUE, {job_id: now + self.settings.result_ttl_s})
            pipe.execute()

    def log_delivery(self, job_id: str, entry: bytes, max_entries: int) -> None:
        """Add to the job's log of webhook deliveries. Raises JobNotFound if it was deleted meanwhile."""
        with self.redis.pipeline(transaction=True) as pipe:
            while True:
                pipe.watch(job_key(job_id))
                if not pipe.exists(job_key(job_id)):
                    raise JobNotFound(job_id)
                pipe.multi()
                pipe.rpush(deliveries_key(job_id), entry)
                pipe.ltrim(deliveries_key(job_id), -max_entries, -1)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return

    def deliveries(self, job_id: str) -> list[bytes]:
        """Return the log of webhook deliveries, oldest first."""
        entries: list[bytes] = self.redis.lrange(deliveries_key(job_id), 0, -1)
        return entries

    def page(
        self,
        limit: int,
        after: str | None = None,
        project: str = "default",
        *,
        newest_first: bool = True,
    ) -> tuple[list[Job], bool]:
        """Return up to `limit` jobs of a project behind the job `after`, and whether there are more.

        Raises:
            JobNotFound: `after` is not in the list.
        """
        index, start = jobs_key(project), 0
        if after is not None:
            rank = self.redis.zrevrank(index, after) if newest_first else self.redis.zrank(index, after)
            if rank is None:
                raise JobNotFound(after)
            start = rank + 1
        ids = [
            job_id.decode() for job_id in self.redis.zrange(index, start, start + limit, desc=newest_first)
        ]
        return self.get_all(ids[:limit]), len(ids) > limit

    def _end(self, pipe: RedisClient, job: Job) -> None:
        """Release an ended job from admission, and schedule its webhook and its deletion."""
        release(pipe, job.id, job.project)
        if job.request.webhook_url is not None:
            pipe.zadd(WEBHOOKS, {job.id: job.finished_at})
        due = expiry(job, self.settings.result_ttl_s)
        assert due is not None and job.finished_at is not None
        pipe.zadd(JOBS_DUE, {job.id: due})
        pipe.zadd(INTERMEDIATES_DUE, {job.id: min(due, job.finished_at + self.settings.intermediate_ttl_s)})


def _unschedule(pipe: RedisClient, job_id: str) -> None:
    """Take back what `_end` scheduled."""
    for key in (WEBHOOKS, INTERMEDIATES_DUE, JOBS_DUE):
        pipe.zrem(key, job_id)
