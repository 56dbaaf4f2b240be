"""A rate limit per API key, announced in the usual headers."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request, Response
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from cascade.service.access.authentication import EVERYONE, Caller, Generator
from cascade.service.problems import ApiError
from cascade.workers.keys import RATE_LIMITS
from cascade.workers.settings import Settings


class RateLimit:
    """Limits the new videos of a key in a minute, in a moving window that all gateways share."""

    def __init__(self, settings: Settings) -> None:
        self.item = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        storage = RedisStorage(settings.redis_url.get_secret_value(), key_prefix=RATE_LIMITS)
        self.limiter = MovingWindowRateLimiter(storage)

    def count(self, caller: Caller) -> dict[str, str]:
        """Count a request and return the headers to answer with.

        Raises:
            ApiError: 429 with Retry-After.
        """
        allowed = self.limiter.hit(self.item, caller.key_id)
        stats = self.limiter.get_window_stats(self.item, caller.key_id)
        reset_s = max(int(stats.reset_time - time.time()) + 1, 1)
        headers = {
            "RateLimit-Limit": str(self.item.amount),
            "RateLimit-Remaining": str(stats.remaining),
            "RateLimit-Reset": str(reset_s),
        }
        if not allowed:
            detail = (
                f"an API key may ask for {self.item.amount} new videos a minute; try again in {reset_s} s"
            )
            retry = {"Retry-After": str(reset_s)}
            raise ApiError(429, detail, code="rate_limit_exceeded", headers=headers | retry)
        return headers


def limited(request: Request, response: Response, caller: Generator) -> Caller:
    """Count the request of a caller who has a key."""
    if caller is not EVERYONE:
        rate_limit: RateLimit = request.app.state.rate_limit
        response.headers.update(rate_limit.count(caller))
    return caller


LimitedGenerator = Annotated[Caller, Depends(limited)]
