"""Dead letters: jobs that failed for good, for an operator to look at and replay."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import TypeAdapter

from cascade.workers.jobs.record import Failure
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import fail
from cascade.workers.keys import DEAD_LETTERS
from cascade.workers.redis_client import RedisClient


@dataclass(frozen=True)
class DeadLetter:
    """A job that failed after its last attempt, why, and when (Unix seconds)."""

    job_id: str
    failure: Failure
    at: float


CODEC = TypeAdapter(DeadLetter)


class DeadLetters:
    """One entry per job, the last failure."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    def add(self, letter: DeadLetter) -> None:
        """Add a letter, in the place of the job's last one."""
        self.redis.hset(DEAD_LETTERS, letter.job_id, CODEC.dump_json(letter))

    def list(self) -> list[DeadLetter]:
        """List all, oldest first."""
        letters = [CODEC.validate_json(value) for value in self.redis.hvals(DEAD_LETTERS)]
        return sorted(letters, key=lambda letter: letter.at)

    def remove(self, job_id: str) -> None:
        """Remove a job's letter, if there is one."""
        self.redis.hdel(DEAD_LETTERS, job_id)


def give_up(job_id: str, failure: Failure, jobs: JobStore, letters: DeadLetters) -> None:
    """Fail a job and add a dead letter of it.

    Raises:
        JobNotFound, IllegalTransition: the job was deleted, or has ended already.
    """
    now = time.time()
    jobs.update(job_id, lambda job: fail(job, failure, now))
    letters.add(DeadLetter(job_id, failure, now))
