"""Idempotency keys: the same request sent twice makes one job, also when both come at the same moment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

KEPT_S = 86_400


class IdempotencyConflict(Exception):
    """The key was used with another request."""


@dataclass(frozen=True)
class Claim:
    """A key's claim: the job that it stands for, and whether this caller is to make it."""

    job_id: str
    first: bool


class IdempotencyKeys:
    """Claims are kept for 24 hours, by project."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    def claim(self, project: str, key: str, request: str, job_id: str) -> Claim:
        """Claim `key` for the job `job_id`, or find the job that has it.

        Raises:
            IdempotencyConflict: the key has another request's job.
        """
        digest = hashlib.sha256(request.encode()).hexdigest()
        name, value = _name(project, key), json.dumps({"request": digest, "job": job_id})
        if self.redis.set(name, value, nx=True, ex=KEPT_S):
            return Claim(job_id, first=True)
        stored = self.redis.get(name)
        if stored is None:
            return self.claim(project, key, request, job_id)
        found = json.loads(stored)
        if found["request"] != digest:
            raise IdempotencyConflict(f'Idempotency-Key "{key}" was used with another request')
        return Claim(found["job"], first=False)

    def release(self, project: str, key: str) -> None:
        """The job was not made after all."""
        self.redis.delete(_name(project, key))


def _name(project: str, key: str) -> str:
    return f"cascade:idempotency:{project}:{hashlib.sha256(key.encode()).hexdigest()}"
