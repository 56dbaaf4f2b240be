"""A rate limit per API key, told in the usual headers."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request, Response
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from cascade.service.access.authentication import EVERYONE, Caller, Generator
from cascade.service.problems import ApiError
from cascade.workers.settings import Settings


class RateLimit:
    """So many new videos a minute and key, in a moving window that all gateways share."""

    def __init__(self, settings: Settings) -> None:
        self.item = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        storage = RedisStorage(settings.redis_url.get_secret_value(), key_prefix="cascade:rate")
        self.limiter = MovingWindowRateLimiter(storage)

    def count(self, caller: Caller) -> dict[str, str]:
        """Count a request; the headers to answer with.

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
                f"{self.item.amount} new videos a minute are allowed for an API key; go on in {reset_s} s"
            )
            retry = {"Retry-After": str(reset_s)}
            raise ApiError(429, detail, code="rate_limit_exceeded", headers=headers | retry)
        return headers


def limited(request: Request, response: Response, caller: Generator) -> Caller:
    """The caller, counted; who calls without a key is not."""
    if caller is not EVERYONE:
        rate_limit: RateLimit = request.app.state.rate_limit
        response.headers.update(rate_limit.count(caller))
    return caller


LimitedGenerator = Annotated[Caller, Depends(limited)]
