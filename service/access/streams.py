"""Open event streams: a key may have so many, and they end when the key does."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator

from redis.exceptions import RedisError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from cascade.service.access.api_keys import ApiKeys
from cascade.service.access.authentication import EVERYONE, Caller
from cascade.service.problems import ApiError

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0
RETRY_AFTER_S = 5


class EventStreams:
    """The open event streams of this process, by key."""

    def __init__(self, keys: ApiKeys, max_per_key: int) -> None:
        self.keys, self.max_per_key = keys, max_per_key
        self.open: defaultdict[str, set[asyncio.Timeout]] = defaultdict(set)

    def respond(
        self, caller: Caller, events: AsyncIterator[ServerSentEvent], ping_s: int
    ) -> EventSourceResponse:
        """Make a response of events that ends with them, or with the caller's key.

        Raises:
            ApiError: 429, the key has as many open streams as it may.
        """
        if len(self.open[caller.key_id]) >= self.max_per_key:
            raise ApiError(
                429,
                f"an API key may have {self.max_per_key} open event streams; end one, or poll the video",
                code="too_many_streams",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        return _KeyedResponse(self, caller, events, ping_s)

    async def end_with_keys(self) -> None:
        """End the streams of keys that are revoked or have expired, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            key_ids = {key_id for key_id, streams in self.open.items() if streams} - {EVERYONE.key_id}
            if not key_ids:
                continue
            try:
                valid = await run_in_threadpool(self.keys.valid_ids, key_ids)
            except RedisError as error:
                logger.warning("keys of open event streams cannot be checked: %s", error)
                continue
            for key_id in key_ids - valid:
                for stream in self.open[key_id]:
                    if not stream.expired():  # it is, and still open, while its client does not read
                        stream.reschedule(0)


class _KeyedResponse(EventSourceResponse):
    """Server-sent events that count as an open stream of a key."""

    def __init__(
        self, streams: EventStreams, caller: Caller, events: AsyncIterator[ServerSentEvent], ping_s: int
    ) -> None:
        super().__init__(events, ping=ping_s)
        self.streams, self.caller = streams, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key_streams = self.streams.open[self.caller.key_id]
        timeout = asyncio.timeout(None)
        key_streams.add(timeout)
        try:
            async with timeout:
                await super().__call__(scope, receive, send)
        except TimeoutError:
            if not timeout.expired():
                raise
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            key_streams.discard(timeout)
            if not key_streams:
                self.streams.open.pop(self.caller.key_id, None)
