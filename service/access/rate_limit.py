"""Rate limits per API key: of new videos, announced in the usual headers, and of all other requests."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import Depends, Request, Response
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter
from starlette.concurrency import run_in_threadpool

from cascade.service.access.authentication import EVERYONE, Caller, Generator, ReadingGenerator
from cascade.service.problems import ApiError
from cascade.workers.keys import RATE_LIMITS
from cascade.workers.redis_client import connect_redis_briefly
from cascade.workers.settings import Settings

SERVER_TIMEOUT_S = 3.0


class RateLimit:
    """Limits the requests of a key in a minute, in windows that all gateways share."""

    def __init__(self, settings: Settings) -> None:
        self.item = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        self.request_item = RateLimitItemPerMinute(settings.request_rate_limit_per_minute)
        storage = RedisStorage(
            "redis://",  # not connected to: the pool is
            connection_pool=connect_redis_briefly(settings, SERVER_TIMEOUT_S).connection_pool,
            key_prefix=RATE_LIMITS,
        )
        self.limiter = MovingWindowRateLimiter(storage)
        self.request_limiter = SlidingWindowCounterRateLimiter(storage)

    def count(self, caller: Caller) -> dict[str, str]:
        """Count a new video and return the headers to answer with.

        Raises:
            ApiError: 429 with Retry-After.
        """
        allowed = self.limiter.hit(self.item, caller.key_id)
        headers, reset_s = _state(self.limiter, self.item, caller.key_id)
        if not allowed:
            raise _refusal(f"{self.item.amount} new videos", headers, reset_s)
        return headers

    def count_request(self, caller: Caller, kind: Literal["read", "change"]) -> None:
        """Count a request of any kind, reads and changes apart.

        Raises:
            ApiError: 429 with Retry-After.
        """
        if not self.request_limiter.hit(self.request_item, kind, caller.key_id):
            headers, reset_s = _state(self.request_limiter, self.request_item, kind, caller.key_id)
            raise _refusal(f"{self.request_item.amount} {kind}s", headers, reset_s)


def _state(
    limiter: RateLimiter, item: RateLimitItemPerMinute, *identifiers: str
) -> tuple[dict[str, str], int]:
    """Describe a limit in headers; returns them with the seconds until more is allowed."""
    stats = limiter.get_window_stats(item, *identifiers)
    reset_s = max(int(stats.reset_time - time.time()) + 1, 1)
    headers = {
        "RateLimit-Limit": str(item.amount),
        "RateLimit-Remaining": str(stats.remaining),
        "RateLimit-Reset": str(reset_s),
    }
    return headers, reset_s


def _refusal(what: str, headers: dict[str, str], reset_s: int) -> ApiError:
    detail = f"an API key may ask for {what} a minute; try again in {reset_s} s"
    retry = {"Retry-After": str(reset_s)}
    return ApiError(429, detail, code="rate_limit_exceeded", headers=headers | retry)


async def limited(request: Request, response: Response, caller: Generator) -> Caller:
    """Count the new video of a caller who has a key."""
    if caller is not EVERYONE:
        rate_limit: RateLimit = request.app.state.rate_limit
        response.headers.update(await run_in_threadpool(rate_limit.count, caller))
    return caller


async def limited_reading(_: ReadingGenerator, caller: Annotated[Caller, Depends(limited)]) -> Caller:
    """Count the new video of a caller who makes it from another one."""
    return caller


LimitedGenerator = Annotated[Caller, Depends(limited)]
LimitedReadingGenerator = Annotated[Caller, Depends(limited_reading)]
