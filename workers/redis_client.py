"""The Redis connection that the floor shares."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from cascade.workers.settings import Settings

RedisClient = Any
"""redis-py types every answer as any of several, and otherwise in each version: its client goes by this name, unchecked."""


def connect_redis(settings: Settings) -> RedisClient:
    """A client of bytes that tries again for about two seconds when the server restarts."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=10,
        socket_connect_timeout=5,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries=5),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
