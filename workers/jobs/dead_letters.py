"""Dead letters: stages that were given up, for an operator to look at and replay."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from cascade.workers.jobs.record import Failure
from cascade.workers.redis_client import RedisClient

KEY = "cascade:dead-letters"


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
        self.redis.hset(KEY, letter.job_id, CODEC.dump_json(letter))

    def list(self) -> list[DeadLetter]:
        """Oldest first."""
        letters = [CODEC.validate_json(value) for value in self.redis.hvals(KEY)]
        return sorted(letters, key=lambda letter: letter.at)

    def remove(self, job_id: str) -> None:
        self.redis.hdel(KEY, job_id)
