"""Server-sent events: one reader of the news of all jobs wakes the listeners of the job that changed.

An idle listener costs a coroutine and an entry in a set; nothing is polled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent

from cascade.workers.keys import NEWS, events_key
from cascade.workers.settings import Settings

logger = logging.getLogger(__name__)

BLOCK_MS = 20_000
RETRY_S = 1.0
LAST_EVENTS = ("video.completed", "video.failed", "video.cancelled")


class EventHub:
    """Listens to Redis for all clients of this process."""

    def __init__(self, settings: Settings) -> None:
        self.redis: Any = Redis.from_url(
            settings.redis_url.get_secret_value(), socket_timeout=BLOCK_MS / 1000 + 10
        )
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def run(self) -> None:
        """Wake listeners until cancelled; after a fault of Redis it wakes all of them, so that none misses anything."""
        last: str | bytes | None = None
        while True:
            try:
                last = last or await self._newest()
                for _, entries in await self.redis.xread({NEWS: last}, block=BLOCK_MS) or []:
                    for entry_id, fields in entries:
                        last = entry_id
                        self._wake(fields[b"job"].decode())
            except RedisError as error:
                logger.warning("events stop until Redis is back: %s", error)
                await asyncio.sleep(RETRY_S)
                for job_id in list(self._listeners):
                    self._wake(job_id)

    async def listen(self, job_id: str, after: str) -> AsyncIterator[ServerSentEvent]:
        """Yield a job's events after the event id `after` as they come, until the job has ended or is deleted."""
        news = asyncio.Event()
        self._listeners[job_id].add(news)
        try:
            while True:
                news.clear()
                try:
                    entries = await self.redis.xrange(events_key(job_id), min=f"({after}")
                    exists = bool(entries) or await self.redis.exists(events_key(job_id))
                except RedisError:
                    await asyncio.sleep(RETRY_S)
                    continue
                for entry_id, fields in entries:
                    after = entry_id.decode()
                    event = fields[b"type"].decode()
                    yield ServerSentEvent(fields[b"data"].decode(), event=event, id=after)
                    if event in LAST_EVENTS and entry_id == entries[-1][0]:
                        return
                if not exists:
                    return
                await news.wait()
        finally:
            self._listeners[job_id].discard(news)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    async def _newest(self) -> str | bytes:
        """Find the last entry there is now; reading after "$" would miss what comes between two reads."""
        entries = await self.redis.xrevrange(NEWS, count=1)
        return entries[0][0] if entries else "0-0"

    def _wake(self, job_id: str) -> None:
        for news in self._listeners.get(job_id, ()):
            news.set()
