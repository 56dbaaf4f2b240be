"""A fair first queue: projects take turns, so that one project's thousand jobs do not starve another's first.

A message in the first stage's queue stands for "run one waiting job"; which one is decided when a worker takes it:
the oldest job of the project whose last turn is longest ago. The job is put into the lease table in the same step,
so that it is found again if the worker is lost before it holds the lease.
"""

from __future__ import annotations

from typing import Any

from cascade.models.presets.table import StageKind
from cascade.workers.queue.lease import EXPIRIES, NOW

TURNS = "cascade:turns"
CLOCK = "cascade:turns:clock"

ADD = """
redis.call('RPUSH', KEYS[2], ARGV[2])
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[3]), ARGV[1])
end
"""
TAKE = (
    NOW
    + """
while true do
  local first = redis.call('ZRANGE', KEYS[1], 0, 0)
  if #first == 0 then return false end
  local job = redis.call('LPOP', ARGV[1] .. first[1])
  if job then
    redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), first[1])
    redis.call('ZADD', KEYS[3], now + ARGV[2], job .. '/' .. ARGV[3])
    return job
  end
  redis.call('ZREM', KEYS[1], first[1])
end
"""
)


class FairQueue:
    """The jobs that wait for their first stage, by project."""

    def __init__(self, redis: Any, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s

    def add(self, project: str, job_id: str) -> None:
        """A job waits; its project joins the round with the next turn if it was not in it."""
        self.redis.eval(ADD, 3, TURNS, _waiting(project), CLOCK, project, job_id)

    def take(self, kind: StageKind) -> str | None:
        """The job whose turn it is, of which `kind` is the first stage."""
        job: bytes | None = self.redis.eval(
            TAKE, 3, TURNS, CLOCK, EXPIRIES, _waiting(""), self.lease_s, str(kind)
        )
        return None if job is None else job.decode()

    def remove(self, project: str, job_id: str) -> None:
        """A job that does not wait any more."""
        self.redis.lrem(_waiting(project), 0, job_id)


def _waiting(project: str) -> str:
    return f"cascade:waiting:{project}"
