"""Heartbeats: every worker says where it is and what it does, for readiness probes and operators."""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter
from redis.exceptions import RedisError

from cascade.workers.keys import WORKERS, heartbeat_key
from cascade.workers.redis_client import RedisClient

TTL_S = 10
INTERVAL_S = 2.0
STOP_S = 1.0

State = Literal["loading", "ready", "busy"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """A live worker, the queues it serves, and the job that it runs."""

    name: str
    queues: tuple[str, ...]
    state: State
    host: str
    pid: int
    job_id: str | None = None


CODEC = TypeAdapter(Worker)


def parse_heartbeat(content: bytes) -> Worker:
    """Read what a heartbeat says."""
    return CODEC.validate_json(content)


def live_workers(redis: RedisClient) -> list[Worker]:
    """List the workers whose last heartbeat is not older than TTL_S, by name."""
    names = sorted(redis.smembers(WORKERS))
    stored = redis.mget([heartbeat_key(name.decode()) for name in names]) if names else []
    gone = [name for name, value in zip(names, stored, strict=True) if value is None]
    if gone:
        redis.srem(WORKERS, *gone)  # one that is only late puts itself back with its next heartbeat
    return [parse_heartbeat(value) for value in stored if value is not None]


class Heartbeat:
    """Announces this process from a background thread until `stop`."""

    def __init__(self, redis: RedisClient, queues: tuple[str, ...]) -> None:
        host, pid = socket.gethostname(), os.getpid()
        self.redis = redis
        self.worker = Worker(f"{'+'.join(queues)}@{host}-{pid}", queues, "loading", host, pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_forever, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Announce this process now, and again every INTERVAL_S."""
        self._beat()
        self._thread.start()

    def set(self, state: State, job_id: str | None = None) -> None:
        """Announce another state at once."""
        self.worker = replace(self.worker, state=state, job_id=job_id)
        self._beat()

    def stop(self) -> None:
        """Stop the thread and take the worker off the list; while Redis is away, the last announcement runs out."""
        self._stop.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            return
        try:
            self.redis.delete(heartbeat_key(self.worker.name))
            self.redis.srem(WORKERS, self.worker.name)
        except RedisError as error:
            logger.warning("this worker's last announcement is left to run out: %s", error)

    def _beat_forever(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._beat()

    def _beat(self) -> None:
        try:
            with self.redis.pipeline(transaction=True) as pipe:
                pipe.set(heartbeat_key(self.worker.name), CODEC.dump_json(self.worker), ex=TTL_S)
                pipe.sadd(WORKERS, self.worker.name)
                pipe.execute()
        except RedisError as error:
            logger.warning("could not announce this worker: %s", error)
