"""Leases: at most one worker runs a stage of a job, and a stage whose worker has vanished is found.

The lease table is a sorted set of stages by the time their lease runs out, and a hash of who holds each. It is
written by scripts that run inside Redis and by Redis's own clock, so workers on any machines agree.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from cascade.models.presets.table import StageKind
from cascade.workers.redis_client import RedisClient

EXPIRIES = "cascade:leases"
HOLDERS = "cascade:lease-holders"

NOW = "local t = redis.call('TIME'); local now = t[1] + t[2] / 1000000;"
TAKE = (
    NOW
    + """
local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
if expiry and tonumber(expiry) > now and redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
"""
)
RENEW = (
    NOW
    + """
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
return 1
"""
)
RELEASE = """
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
"""
WAKE_LATER = (
    NOW
    + """
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
"""
)
EXPIRED = NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)"
FORGET = (
    NOW
    + """
local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
if expiry and tonumber(expiry) <= now then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
"""
)


@dataclass
class Lease:
    """A held lease; `lost` is set when it could not be renewed in time."""

    job_id: str
    kind: StageKind
    owner: str
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def member(self) -> str:
        return f"{self.job_id}/{self.kind}"


class Leases:
    """The lease table; leases last `lease_s` seconds unless renewed."""

    def __init__(self, redis: RedisClient, lease_s: float) -> None:
        self.redis, self.lease_s = redis, lease_s

    def take(self, job_id: str, kind: StageKind, owner: str) -> Lease | None:
        """The lease, or None while another holds it."""
        lease = Lease(job_id, kind, owner)
        return lease if self._run(TAKE, lease, self.lease_s) else None

    def renew(self, lease: Lease) -> bool:
        """Whether the lease was still held and now lasts `lease_s` more."""
        return self._run(RENEW, lease, self.lease_s)

    def release(self, lease: Lease) -> None:
        self._run(RELEASE, lease)

    def wake_later(self, lease: Lease, delay_s: float) -> None:
        """Give the lease up; after `delay_s` recovery puts the stage back into its queue."""
        self._run(WAKE_LATER, lease, delay_s)

    def expired(self) -> list[tuple[str, StageKind]]:
        """Stages whose lease has run out: their worker is gone, or their delay is over."""
        members = [member.decode() for member in self.redis.eval(EXPIRED, 1, EXPIRIES)]
        split = [member.rsplit("/", 1) for member in members]
        return [(job_id, StageKind(kind)) for job_id, kind in split]

    def forget(self, job_id: str, kind: StageKind) -> None:
        """Remove an expired lease, unless it was taken again meanwhile."""
        self.redis.eval(FORGET, 2, EXPIRIES, HOLDERS, f"{job_id}/{kind}")

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

    def _run(self, script: str, lease: Lease, *args: float) -> bool:
        return bool(self.redis.eval(script, 2, EXPIRIES, HOLDERS, lease.member, lease.owner, *args))
