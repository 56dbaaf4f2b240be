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
    return _connect(settings, 10, 5, (RedisConnectionError, RedisTimeoutError))


def connect_redis_briefly(settings: Settings, timeout_s: float, retries: int = 5) -> RedisClient:
    """Create a client for those whom somebody waits for: it tries again after a lost connection, never after a timeout.

    Args:
        timeout_s: for each answer, above 0; a server that is frozen takes connections and answers nothing.
        retries: how often a command is sent again.
    """
    return _connect(settings, timeout_s, retries, (RedisConnectionError,))


def _connect(
    settings: Settings, timeout_s: float, retries: int, retry_on: tuple[type[Exception], ...]
) -> RedisClient:
    options = settings.redis_address.client_options(
        socket_timeout=timeout_s, socket_connect_timeout=min(timeout_s, 5), health_check_interval=30
    )
    retry = Retry(ExponentialBackoff(cap=1, base=0.05), retries, supported_errors=retry_on)
    return Redis(**options, retry=retry)


def server_time(redis: RedisClient) -> float:
    """Return Redis's time in Unix seconds: the one clock that all machines of a deployment share."""
    seconds, microseconds = redis.time()
    return float(seconds + microseconds / 1e6)


def load_script(redis: RedisClient, path: str, *, needs_memory: bool = False) -> Script:
    """Prepare a script of this package, such as `queue/take_stage.lua`; its head says what it takes and returns.

    Args:
        needs_memory: a Redis that is full refuses the script; others run, so that what is there can go on and end.
    """
    flags = "" if needs_memory else " flags=allow-oom"
    script: Script = redis.register_script(f"#!lua{flags}\n{_source(path)}")
    return script


@lru_cache
def _source(path: str) -> str:
    return files("cascade.workers").joinpath(path).read_text(encoding="utf-8")
