"""Idempotency keys: the same request sent twice makes one job, also when both come at the same moment."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass

from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import JobQueue, new_id
from cascade.workers.jobs.record import Job, JobRequest
from cascade.workers.jobs.store import JobStore
from cascade.workers.keys import idempotency_key
from cascade.workers.redis_client import RedisClient

LIFETIME_S = 86_400
MAX_WAIT_S = 3.0


class IdempotencyConflict(Exception):
    """The key was used with another request."""


@dataclass(frozen=True)
class Claim:
    """A key's claim: the job that it stands for, and whether this caller has to submit it."""

    job_id: str
    first: bool


class IdempotencyKeys:
    """Claims by project, held for 24 hours."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    def claim(self, project: str, key: str, request: str, job_id: str) -> Claim:
        """Claim `key` for the job `job_id`, or find the job that has it.

        Raises:
            IdempotencyConflict: the key has another request's job.
        """
        digest = hashlib.sha256(request.encode()).hexdigest()
        name, value = _redis_key(project, key), json.dumps({"request": digest, "job": job_id})
        if self.redis.set(name, value, nx=True, ex=LIFETIME_S):
            return Claim(job_id, first=True)
        stored = self.redis.get(name)
        if stored is None:
            return self.claim(project, key, request, job_id)
        claim = json.loads(stored)
        if claim["request"] != digest:
            raise IdempotencyConflict(f'Idempotency-Key "{key}" was used with another request')
        return Claim(claim["job"], first=False)

    def release(self, project: str, key: str) -> None:
        """Free the key, so that the request can be sent again."""
        self.redis.delete(_redis_key(project, key))


def submit_once(queue: JobQueue, request: JobRequest, project: str, key: str, body: str) -> Job:
    """Submit a job, unless `key` came with the same `body` within 24 hours: then return that job.

    Raises:
        InvalidParameter, QueueFull, QuotaExceeded.
        IdempotencyConflict: the key came with another body.
        JobNotFound: the key's job was deleted, or is not there yet.
    """
    keys = IdempotencyKeys(queue.jobs.redis)
    claim = keys.claim(project, key, body, new_id())
    if not claim.first:
        return _wait_for(claim.job_id, queue.jobs)
    try:
        return queue.submit(request, project, claim.job_id)
    except BaseException:
        keys.release(project, key)
        raise


def _wait_for(job_id: str, jobs: JobStore) -> Job:
    """Wait for a job that another request is submitting at this moment."""
    deadline = time.monotonic() + MAX_WAIT_S
    while (job := jobs.get(job_id)) is None:
        if time.monotonic() > deadline:
            raise JobNotFound(job_id)
        time.sleep(0.02)
    return job


def _redis_key(project: str, key: str) -> str:
    return idempotency_key(project, hashlib.sha256(key.encode()).hexdigest())
