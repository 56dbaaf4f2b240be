"""Job records in Redis: compare-and-set updates and a list in order of creation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import TypeAdapter
from redis.exceptions import WatchError

from workers.admission import release
from workers.errors import JobNotFound
from workers.events import announce, events_key, publish
from workers.job import Job

EVENTS_TTL_S = 7 * 86_400
CODEC = TypeAdapter(Job)


def job_key(job_id: str) -> str:
    return f"cascade:job:{job_id}"


def _index(project: str) -> str:
    return f"cascade:jobs:{project}"


class JobStore:
    """All reads and writes of job records."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

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
                if job.status.final:
                    release(pipe, job.id, job.project)
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
            pipe.delete(job_key(job_id), events_key(job_id))
            pipe.zrem(_index(job.project), job_id)
            announce(pipe, job_id)
            release(pipe, job_id, job.project)
            return bool(pipe.execute()[0])

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

    def _existing(self, ids: list[bytes]) -> Iterator[Job]:
        for stored in self.redis.mget([job_key(job_id.decode()) for job_id in ids]) if ids else []:
            if stored is not None:
                yield CODEC.validate_json(stored)
