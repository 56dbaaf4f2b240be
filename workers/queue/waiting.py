"""The stages that wait for a worker, and the turns of the projects that they belong to.

A stage waits in the line of its queue from the moment that its job's record says so: both are written in one
transaction (`schedule`). Projects take turns, so that one project's thousand jobs do not starve another's first; the
oldest job of a project goes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cascade.workers.jobs.record import Job, StageRecord, StageStatus
from cascade.workers.keys import (
    LEASE_HOLDERS,
    LEASES,
    OPEN,
    lease_member,
    line_key,
    open_key,
    waiting_key,
)
from cascade.workers.queue.lease import Lease
from cascade.workers.queue.wake_ups import WAKE_UP
from cascade.workers.redis_client import RedisClient, load_script, server_time
from cascade.workers.transaction import Transaction

RUNNING = StageStatus.IN_PROGRESS


def schedule(transaction: Transaction, before: Job | None, after: Job | None, now: float) -> None:
    """Let a job's stage wait, be delayed, or be done, as its record will say; None is no record."""
    old, new = _open(before), _open(after)
    if old is not None and new is not None and old.name == new.name and old.status is new.status is RUNNING:
        return
    if old is not None and (new is None or old.name != new.name or new.status is not RUNNING):
        assert before is not None
        _take_out(transaction, before, old, keep_lease=new is not None and old.status is new.status)
    if after is not None and new is not None:
        _put_in(transaction, after, new, now)
    elif before is not None:
        transaction.add("HDEL", OPEN, before.id)
        transaction.add("SREM", open_key(before.project), before.id)


def hold_for_worker(transaction: Transaction, job: Job, until: float) -> None:
    """Give a running stage that has no lease one that its worker, if it lives, takes back; else it is recovered."""
    stage = _open(job)
    if stage is not None and stage.status is RUNNING:
        transaction.add("ZADD", LEASES, "NX", until, lease_member(job.id, job.queue(stage.name)))


def _open(job: Job | None) -> StageRecord | None:
    return None if job is None or job.open_stage is None else job.stage(job.open_stage)


def _take_out(transaction: Transaction, job: Job, stage: StageRecord, *, keep_lease: bool) -> None:
    queue = job.queue(stage.name)
    transaction.add("ZREM", waiting_key(queue, job.project), job.id)
    if not keep_lease:
        transaction.add("ZREM", LEASES, lease_member(job.id, queue))
        transaction.add("HDEL", LEASE_HOLDERS, lease_member(job.id, queue))


def _put_in(transaction: Transaction, job: Job, stage: StageRecord, now: float) -> None:
    queue = job.queue(stage.name)
    transaction.add("HSET", OPEN, job.id, f"{queue} {job.project}")
    transaction.add("SADD", open_key(job.project), job.id)
    if stage.status is RUNNING:
        transaction.add("ZREM", waiting_key(queue, job.project), job.id)
    elif stage.retry_at is not None:
        transaction.add("ZADD", LEASES, stage.retry_at, lease_member(job.id, queue))
        transaction.add("HDEL", LEASE_HOLDERS, lease_member(job.id, queue))
    else:
        transaction.add("ZADD", waiting_key(queue, job.project), job.created_at, job.id)
        transaction.add("ZADD", line_key(queue), "NX", now, job.project)
        transaction.add("LPUSH", queue, WAKE_UP)


class WaitingStages:
    """Reads the lines, and takes stages out of them together with their leases."""

    def __init__(self, redis: RedisClient, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s
        self._take = load_script(redis, "queue/take_stage.lua")

    def take(self, queues: Iterable[str], owner: str) -> Lease | None:
        """Take the stage of these queues whose turn it is; None if none waits."""
        places = [word for queue in queues for word in (queue, line_key(queue), waiting_key(queue, ""))]
        taken: list[bytes] | None = self._take(
            keys=[LEASES, LEASE_HOLDERS], args=[owner, self.lease_s, *places]
        )
        return None if taken is None else Lease(taken[0].decode(), taken[1].decode(), owner)

    def count(self, queue: str) -> int:
        """Count the stages that wait in a queue."""
        return sum(self._by_project(queue).values())

    def running(self) -> Counter[str]:
        """Count the stages that workers have, by queue."""
        holders = self.redis.hkeys(LEASE_HOLDERS)
        return Counter(member.decode().partition("/")[2] for member in holders)

    def waited_s(self, queue: str) -> float:
        """Return how long the project that waits longest has waited for a turn, in seconds; 0 if none waits."""
        projects = [project for project, jobs in self._by_project(queue).items() if jobs]
        if not projects:
            return 0.0
        turns = [turn for turn in self.redis.zmscore(line_key(queue), projects) if turn is not None]
        return max(server_time(self.redis) - min(turns), 0.0) if turns else 0.0

    def _by_project(self, queue: str) -> dict[str, int]:
        projects = [project.decode() for project in self.redis.zrange(line_key(queue), 0, -1)]
        with self.redis.pipeline(transaction=False) as pipe:
            for project in projects:
                pipe.zcard(waiting_key(queue, project))
            return dict(zip(projects, pipe.execute(), strict=True))
