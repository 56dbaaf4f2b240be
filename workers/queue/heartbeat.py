"""Presence: every worker says where it is and whether it is ready, for readiness probes and operators."""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from redis.exceptions import RedisError

from cascade.models.presets.table import StageKind
from cascade.workers.redis_client import RedisClient

PREFIX = "cascade:worker:"
TTL_S = 10
INTERVAL_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """A live worker. `state` is loading, ready or busy; `job_id` is what it runs."""

    name: str
    kind: StageKind
    presets: tuple[str, ...]
    state: str
    host: str
    pid: int
    job_id: str | None = None


CODEC = TypeAdapter(Worker)


def live_workers(redis: RedisClient) -> list[Worker]:
    """The workers that gave a sign within the last seconds, by name."""
    keys = list(redis.scan_iter(match=f"{PREFIX}*", count=1000))
    stored = redis.mget(keys) if keys else []
    workers = [CODEC.validate_json(value) for value in stored if value is not None]
    return sorted(workers, key=lambda worker: worker.name)


class Presence:
    """Announces this process from a background thread until `stop`."""

    def __init__(self, redis: RedisClient, kind: StageKind, presets: tuple[str, ...]) -> None:
        host, pid = socket.gethostname(), os.getpid()
        self.redis = redis
        self.worker = Worker(f"{kind}@{host}-{pid}", kind, presets, "loading", host, pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._announce_forever, name="presence", daemon=True)

    def start(self) -> None:
        self._announce()
        self._thread.start()

    def set(self, state: str, job_id: str | None = None) -> None:
        self.worker = replace(self.worker, state=state, job_id=job_id)
        self._announce()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self.redis.delete(PREFIX + self.worker.name)

    def _announce_forever(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._announce()

    def _announce(self) -> None:
        try:
            self.redis.set(PREFIX + self.worker.name, CODEC.dump_json(self.worker), ex=TTL_S)
        except RedisError as error:
            logger.warning("could not announce this worker: %s", error)
