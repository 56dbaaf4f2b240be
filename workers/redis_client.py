"""The Redis connection that the floor shares."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.commands.core import Script
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from cascade.workers.settings import Settings

RedisClient = Any
"""A client or a pipeline of redis-py, unchecked: it types every answer as bytes, text or awaitable, whatever the client
decodes, and differently in each version."""


def connect_redis(settings: Settings) -> RedisClient:
    """Create a client of bytes that tries again for about two seconds when the server restarts."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=10,
        socket_connect_timeout=5,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries=5),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def load_script(redis: RedisClient, path: str) -> Script:
    """Prepare a script of this package, such as `queue/take_lease.lua`; its head says what it takes and returns."""
    script: Script = redis.register_script(_source(path))
    return script


@lru_cache
def _source(path: str) -> str:
    return files("cascade.workers").joinpath(path).read_text(encoding="utf-8")
