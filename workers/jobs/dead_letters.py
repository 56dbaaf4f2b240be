"""Dead letters: jobs that failed for good, for an operator to look at and replay.

A letter is written in the transaction that fails its job, and removed in the one that replays or deletes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from cascade.workers.jobs.record import Failure
from cascade.workers.keys import DEAD_LETTERS
from cascade.workers.redis_client import RedisClient


@dataclass(frozen=True)
class DeadLetter:
    """A job that failed after its last attempt, why, and when (Unix seconds)."""

    job_id: str
    failure: Failure
    at: float


CODEC = TypeAdapter(DeadLetter)


def dump_letter(letter: DeadLetter) -> bytes:
    """Write a letter as it is stored."""
    return CODEC.dump_json(letter)


class DeadLetters:
    """One entry per job, the last failure."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    def list(self) -> list[DeadLetter]:
        """List all, oldest first."""
        letters = [CODEC.validate_json(value) for value in self.redis.hvals(DEAD_LETTERS)]
        return sorted(letters, key=lambda letter: letter.at)

    def remove(self, job_id: str) -> None:
        """Remove a job's letter, if there is one."""
        self.redis.hdel(DEAD_LETTERS, job_id)
