"""Sorted sets of what is to be done, by its due time on Redis's clock: no other machine's clock counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cascade.workers.redis_client import RedisClient, server_time

BATCH = 100
RETRY_S = 30.0


class DueSet:
    """Entries of one sorted set."""

    def __init__(self, redis: RedisClient, key: str) -> None:
        self.redis, self.key = redis, key

    def entries(self) -> list[str]:
        """List up to BATCH entries that are due now, the first due first."""
        now = server_time(self.redis)
        entries = self.redis.zrange(self.key, "-inf", now, byscore=True, offset=0, num=BATCH)
        return [entry.decode() for entry in entries]

    def remove(self, entry: str) -> None:
        """Take an entry off: it is done."""
        self.redis.zrem(self.key, entry)

    @contextmanager
    def postponed_on_fault(self, entry: str) -> Iterator[None]:
        """Let other entries go first after a fault of this one: none holds up the rest for ever."""
        try:
            yield
        except Exception:
            self.redis.zadd(self.key, {entry: server_time(self.redis) + RETRY_S}, xx=True)
            raise
