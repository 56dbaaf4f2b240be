"""Job records in Redis: compare-and-set updates and a list in order of creation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import TypeAdapter
from redis.exceptions import WatchError

from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.admission import release
from cascade.workers.jobs.events import announce, events_key, publish
from cascade.workers.jobs.record import Job, expiry
from cascade.workers.settings import Settings

EVENTS_TTL_S = 7 * 86_400
WEBHOOKS = "cascade:webhooks"
INTERMEDIATES_DUE, JOBS_DUE = "cascade:due:intermediates", "cascade:due:jobs"
CODEC = TypeAdapter(Job)


def job_key(job_id: str) -> str:
    return f"cascade:job:{job_id}"


def deliveries_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:deliveries"


def _index(project: str) -> str:
    return f"cascade:jobs:{project}"


class JobStore:
    """All reads and writes of job records."""

    def __init__(self, redis: Any, settings: Settings) -> None:
        self.redis, self.settings = redis, settings

    def create(self, job: Job) -> None:
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(job_key(job.id), CODEC.dump_json(job))
            pipe.zadd(_index(job.project), {job.id: job.created_at})
            publish(pipe, None, job, EVENTS_TTL_S)
            pipe.execute()

    def get(self, job_id: str) -> Job | None:
        stored = self.redis.get(job_key(job_id))
        return None if stored is None else CODEC.validate_json(stored)

    def update(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Apply a pure transition to the record as it is now, again if another writer was faster.

        Raises:
            JobNotFound: the job was deleted.
            IllegalTransition: `change` refused.
        """
        key = job_key(job_id)
        with self.redis.pipeline(transaction=True) as pipe:
            while True:
                pipe.watch(key)
                stored = pipe.get(key)
                if stored is None:
                    raise JobNotFound(job_id)
                before = CODEC.validate_json(stored)
                job = change(before)
                pipe.multi()
                pipe.set(key, CODEC.dump_json(job))
                publish(pipe, before, job, EVENTS_TTL_S)
                if job.status.final and not before.status.final:
                    self._end(pipe, job)
                elif before.status.final and not job.status.final:
                    _reopen(pipe, job)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return job

    def delete(self, job_id: str) -> bool:
        """Remove the record; whether there was one."""
        job = self.get(job_id)
        if job is None:
            return False
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.delete(job_key(job_id), events_key(job_id), deliveries_key(job_id))
            pipe.zrem(_index(job.project), job_id)
            announce(pipe, job_id)
            release(pipe, job_id, job.project)
            _reopen(pipe, job)
            return bool(pipe.execute()[0])

    def log_delivery(self, job_id: str, entry: bytes, kept: int) -> None:
        """Add to the job's log of webhook deliveries. Raises JobNotFound if it was deleted meanwhile."""
        with self.redis.pipeline(transaction=True) as pipe:
            while True:
                pipe.watch(job_key(job_id))
                if not pipe.exists(job_key(job_id)):
                    raise JobNotFound(job_id)
                pipe.multi()
                pipe.rpush(deliveries_key(job_id), entry)
                pipe.ltrim(deliveries_key(job_id), -kept, -1)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return

    def page(
        self,
        limit: int,
        after: str | None = None,
        project: str = "default",
        *,
        newest_first: bool = True,
    ) -> tuple[list[Job], bool]:
        """Up to `limit` jobs of a project behind the job `after`, and whether there are more.

        Raises:
            JobNotFound: `after` is not in the list.
        """
        index, start = _index(project), 0
        if after is not None:
            rank = self.redis.zrevrank(index, after) if newest_first else self.redis.zrank(index, after)
            if rank is None:
                raise JobNotFound(after)
            start = rank + 1
        ids = self.redis.zrange(index, start, start + limit, desc=newest_first)
        jobs = list(self._existing(ids[:limit]))
        return jobs, len(ids) > limit

    def _end(self, pipe: Any, job: Job) -> None:
        """What follows when a job ends: it counts no more, its webhook is due, and later its deletion."""
        release(pipe, job.id, job.project)
        if job.request.webhook_url is not None:
            pipe.zadd(WEBHOOKS, {job.id: job.finished_at})
        due = expiry(job, self.settings.result_ttl_s)
        assert due is not None and job.finished_at is not None
        pipe.zadd(JOBS_DUE, {job.id: due})
        pipe.zadd(INTERMEDIATES_DUE, {job.id: min(due, job.finished_at + self.settings.intermediate_ttl_s)})

    def _existing(self, ids: list[bytes]) -> Iterator[Job]:
        for stored in self.redis.mget([job_key(job_id.decode()) for job_id in ids]) if ids else []:
            if stored is not None:
                yield CODEC.validate_json(stored)


def _reopen(pipe: Any, job: Job) -> None:
    """Nothing follows any more from the job's end."""
    for key in (WEBHOOKS, INTERMEDIATES_DUE, JOBS_DUE):
        pipe.zrem(key, job.id)
