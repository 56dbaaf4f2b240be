"""Leases: at most one worker runs a stage of a job, and a stage whose worker has vanished is found.

The lease table is a sorted set of stages by the time their lease runs out, and a hash of who holds each. It is
written by scripts that run inside Redis and by Redis's own clock, so workers on any machines agree.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis.commands.core import Script
from redis.exceptions import RedisError

from cascade.workers.keys import LEASE_HOLDERS, LEASES
from cascade.workers.redis_client import RedisClient, load_script


@dataclass
class Lease:
    """A lease of a queue's stage of a job; `lost` is set when it could not be renewed in time."""

    job_id: str
    queue: str
    owner: str
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def member(self) -> str:
        """Name the lease in the lease table."""
        return f"{self.job_id}/{self.queue}"


class Leases:
    """The lease table; leases last `lease_s` seconds unless renewed."""

    def __init__(self, redis: RedisClient, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s
        self._take = load_script(redis, "queue/take_lease.lua")
        self._renew = load_script(redis, "queue/renew_lease.lua")
        self._release = load_script(redis, "queue/release_lease.lua")
        self._delay = load_script(redis, "queue/delay_lease.lua")
        self._expired = load_script(redis, "queue/expired_leases.lua")
        self._remove = load_script(redis, "queue/remove_expired_lease.lua")

    def take(self, job_id: str, queue: str, owner: str) -> Lease | None:
        """Take the lease; None while another holds it."""
        lease = Lease(job_id, queue, owner)
        return lease if self._run(self._take, lease, self.lease_s) else None

    def renew(self, lease: Lease) -> bool:
        """Let the lease last `lease_s` more; return whether it was still held."""
        return self._run(self._renew, lease, self.lease_s)

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still held."""
        self._run(self._release, lease)

    def release_later(self, lease: Lease, delay_s: float) -> None:
        """Give the lease up; after `delay_s` recovery puts the stage back into its queue."""
        self._run(self._delay, lease, delay_s)

    def expired(self) -> list[tuple[str, str]]:
        """List (job, queue) of leases that have run out: their worker is gone, or their delay is over."""
        members: list[bytes] = self._expired(keys=[LEASES])
        pairs = [member.decode().split("/", 1) for member in members]
        return [(job_id, queue) for job_id, queue in pairs]

    def remove_expired(self, job_id: str, queue: str) -> None:
        """Remove an expired lease, unless it was taken again meanwhile."""
        self._remove(keys=[LEASES, LEASE_HOLDERS], args=[Lease(job_id, queue, "").member])

    @contextmanager
    def renewing(self, lease: Lease) -> Iterator[None]:
        """Renew the lease in the background until the block ends."""
        stop = threading.Event()

        def renew() -> None:
            while not stop.wait(self.lease_s / 3):
                try:
                    held = self.renew(lease)
                except RedisError:
                    continue  # tried again well before the lease runs out; losing it is noticed then
                if not held:
                    lease.lost.set()
                    return

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, script: Script, lease: Lease, *args: float) -> bool:
        return bool(script(keys=[LEASES, LEASE_HOLDERS], args=[lease.member, lease.owner, *args]))
