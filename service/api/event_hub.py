"""Server-sent events: one reader of the news of all jobs wakes the listeners of the job that changed.

An idle listener costs a coroutine and an entry in a set; nothing is polled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent

from cascade.workers.keys import NEWS, events_key, job_key, preview_key
from cascade.workers.settings import Settings

logger = logging.getLogger(__name__)

BLOCK_MS = 20_000
RETRY_S = 1.0
LOOK_S = 5.0
"""How often a listener without news looks whether its job is still there: a Redis that lost its data tells nobody."""
RECONNECT_MS = 1000
"""How long a browser waits before it connects again."""
START = "0-0"
MAX_ID_PART = 2**64 - 1
PREVIEW = "preview"
LAST_EVENTS = ("video.completed", "video.failed", "video.cancelled")


class EventHub:
    """Listens to Redis for all clients of this process."""

    def __init__(self, settings: Settings, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        options = settings.redis_address.client_options()
        self.redis: Any = Redis(**options | {"socket_timeout": BLOCK_MS / 1000 + 10})
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

    async def position(self, job_id: str, last_event_id: str | None) -> str:
        """Return the id of the event that a job's listener goes on after.

        That is the one it names. Where the job has none such (any more), as with the id of another job's event, it is that
        of none: an event that comes twice harms nobody.
        """
        if last_event_id is None or not _is_event_id(last_event_id):
            return START
        found = await self.redis.xrange(events_key(job_id), last_event_id, last_event_id, count=1)
        return last_event_id if found else START

    async def has_events(self, job_id: str, after: str) -> bool:
        """Return whether there are events of a job after the event id `after`."""
        return bool(await self.redis.xrange(events_key(job_id), f"({after}", "+", count=1))

    async def listen(self, job_id: str, after: str, *, ended: bool = False) -> AsyncIterator[ServerSentEvent]:
        """Yield a job's events after the event id `after` as they come, until the job has ended or is deleted.

        Between them come previews of the stage that runs, the newest only; they have no id, as nobody goes on after one.

        Args:
            ended: the job is over, so that there are no events but those that are there.
        """
        news = asyncio.Event()
        retry: int | None = RECONNECT_MS  # said once
        shown: bytes | None = None
        self._listeners[job_id].add(news)
        try:
            while True:
                news.clear()
                try:
                    entries, exists, preview = await self._news_of(job_id, after)
                except RedisError:
                    await asyncio.sleep(RETRY_S)
                    continue
                for entry_id, fields in entries:
                    after = entry_id.decode()
                    event = fields[b"type"].decode()
                    yield ServerSentEvent(fields[b"data"].decode(), event=event, id=after, retry=retry)
                    retry = None
                    if event in LAST_EVENTS and entry_id == entries[-1][0]:
                        return
                if ended or not (entries or exists):
                    return
                if preview is not None and preview != shown:
                    shown = preview
                    yield ServerSentEvent(preview.decode(), event=PREVIEW)
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), self._look_s)
        finally:
            self._listeners[job_id].discard(news)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    async def _news_of(
        self, job_id: str, after: str
    ) -> tuple[list[tuple[bytes, dict[bytes, bytes]]], bool, bytes | None]:
        """Read a job's events after an id, whether there is its record, and the preview of its running stage."""
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.xrange(events_key(job_id), min=f"({after}")
            pipe.exists(job_key(job_id))
            pipe.get(preview_key(job_id))
            entries, exists, preview = await pipe.execute()
        return entries, bool(exists), preview

    async def _newest(self) -> str | bytes:
        """Find the last entry there is now; reading after "$" would miss what comes between two reads."""
        entries = await self.redis.xrevrange(NEWS, count=1)
        return entries[0][0] if entries else "0-0"

    def _wake(self, job_id: str) -> None:
        for news in self._listeners.get(job_id, ()):
            news.set()


def _is_event_id(text: str) -> bool:
    """Return whether Redis can look for an entry of this id."""
    parts = text.split("-")
    return len(parts) == 2 and all(
        part.isascii() and part.isdecimal() and len(part) <= 20 and int(part) <= MAX_ID_PART for part in parts
    )
