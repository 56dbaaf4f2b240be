"""The servers behind a process: Redis, the object store, and Celery over Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from celery import Celery

from cascade.workers.queue.celery_app import create_celery
from cascade.workers.redis_client import RedisClient, connect_redis, connect_redis_briefly
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Servers:
    """One process's connections. Every class of this floor takes from them what it needs (its `of`)."""

    settings: Settings
    redis: RedisClient
    objects: ObjectStore
    celery: Celery

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Prepare the connections; each is opened with its first use."""
        return cls(settings, connect_redis(settings), ObjectStore(settings), create_celery(settings))

    @classmethod
    def connect_briefly(cls, settings: Settings, timeout_s: float) -> Self:
        """Prepare the connections of a process whose callers wait: a server that is frozen is given up soon.

        Args:
            timeout_s: for each answer of a server, above 0.
        """
        redis = connect_redis_briefly(settings, timeout_s)
        return cls(settings, redis, ObjectStore(settings, timeout_s, attempts=2), create_celery(settings))
