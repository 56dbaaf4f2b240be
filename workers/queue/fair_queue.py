"""Fair turns at a queue: projects take turns, so that one project's thousand jobs do not starve another's first.

A message in the queue of a first stage stands for "run one waiting job"; which one is decided when a worker takes it:
the oldest job of the project whose last turn is longest ago.
"""

from __future__ import annotations

from cascade.workers.keys import LEASES, clock_key, turns_key, waiting_key
from cascade.workers.redis_client import RedisClient, load_script


class FairQueue:
    """The jobs that wait for their first stage, by queue and project."""

    def __init__(self, redis: RedisClient, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s
        self._add = load_script(redis, "queue/add_turn.lua")
        self._take = load_script(redis, "queue/take_turn.lua")

    def add(self, queue: str, project: str, job_id: str) -> None:
        """Let a job wait; its project joins the round with the next turn if it was not in it."""
        keys = [turns_key(queue), waiting_key(queue, project), clock_key(queue)]
        self._add(keys=keys, args=[project, job_id])

    def take(self, queue: str) -> str | None:
        """Take the job whose turn it is; None if none waits. Recovery finds it if it is not leased within `lease_s`."""
        keys = [turns_key(queue), clock_key(queue), LEASES]
        job_id: bytes | None = self._take(keys=keys, args=[waiting_key(queue, ""), self.lease_s, queue])
        return None if job_id is None else job_id.decode()

    def remove(self, queue: str, project: str, job_id: str) -> None:
        """Take a job out of the round."""
        self.redis.lrem(waiting_key(queue, project), 0, job_id)
