"""Leases: at most one worker runs a stage of a job, and a stage whose worker has vanished is found.

The lease table is a sorted set of stages by the time their lease runs out, and a hash of who holds each. It is
written by scripts that run inside Redis and by Redis's own clock, so workers on any machines agree. An entry without a
holder is a stage that is delayed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from cascade.workers.keys import LEASE_HOLDERS, LEASES, lease_member
from cascade.workers.redis_client import RedisClient, load_script

RETRY_S = 0.5


@dataclass
class Lease:
    """A lease of a queue's stage of a job; `lost` is set when another has it.

    Attributes:
        owner: `{worker}-{number}`, another one each time.
    """

    job_id: str
    queue: str
    owner: str
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def member(self) -> str:
        """Name the lease in the lease table."""
        return lease_member(self.job_id, self.queue)

    @property
    def worker(self) -> str:
        """Name the worker whose lease it is."""
        return self.owner.rpartition("-")[0]


class Leases:
    """The lease table; leases last `lease_s` seconds unless renewed. `WaitingStages.take` gives them out."""

    def __init__(self, redis: RedisClient, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s
        self._renew = load_script(redis, "queue/renew_lease.lua")
        self._release = load_script(redis, "queue/release_lease.lua")
        self._take_expired = load_script(redis, "queue/take_expired_lease.lua")

    def renew(self, lease: Lease) -> bool:
        """Let the lease last `lease_s` more; return whether it was still held."""
        return bool(self._renew(keys=_KEYS, args=[lease.member, lease.owner, self.lease_s]))

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still held."""
        self._release(keys=_KEYS, args=[lease.member, lease.owner])

    def take_expired(self, owner: str) -> Lease | None:
        """Take the lease that ran out first: its worker is gone, or its delay is over. None if none has."""
        member: bytes | None = self._take_expired(keys=_KEYS, args=[owner, self.lease_s])
        if member is None:
            return None
        job_id, _, queue = member.decode(errors="replace").partition("/")
        return Lease(job_id, queue, owner)

    @contextmanager
    def renewing(self, lease: Lease) -> Iterator[None]:
        """Renew the lease in the background until the block ends."""
        stop = threading.Event()

        def renew() -> None:
            wait_s = self.lease_s / 3
            while not stop.wait(wait_s):
                try:
                    held = self.renew(lease)
                except RedisError:
                    wait_s = min(RETRY_S, self.lease_s / 3)
                    continue
                if not held:
                    lease.lost.set()
                    return
                wait_s = self.lease_s / 3

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


_KEYS = [LEASES, LEASE_HOLDERS]
