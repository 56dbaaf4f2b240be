"""Ends a worker that has gone deaf: idle, while wake-ups lie in its queues and it takes none of them.

A broken connection is opened again by Celery itself. Should that ever fail, the worker must not call itself ready for
ever: it ends, and whoever supervises it starts another.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

from redis.exceptions import RedisError

from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.redis_client import RedisClient

INTERVAL_S = 1.0
DEAF_AFTER_S = 15.0
EXIT_WITHIN_S = 5.0
STOP_S = 1.0
DEAF = 75

logger = logging.getLogger(__name__)


class IdleWatch:
    """Looks at a worker's queues from a background thread until `stop`."""

    def __init__(self, redis: RedisClient, heartbeat: Heartbeat, deaf_after_s: float = DEAF_AFTER_S) -> None:
        self.redis, self.heartbeat, self.deaf_after_s = redis, heartbeat, deaf_after_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="idle-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; one that waits for Redis ends with the process."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_S)

    def _watch(self) -> None:
        deaf_s = 0.0
        while not self._stop.wait(INTERVAL_S):
            # Looks are counted: a machine or a Redis that stood still between two of them is no deaf worker.
            deaf_s = deaf_s + INTERVAL_S if self._ignores_wake_ups() else 0.0
            if deaf_s > self.deaf_after_s:
                self._end()
                return

    def _ignores_wake_ups(self) -> bool:
        worker = self.heartbeat.worker
        if worker.state != "ready":
            return False
        try:
            waiting = any(self.redis.llen(queue) for queue in worker.queues)
        except RedisError:
            return False
        return waiting and self.heartbeat.worker == worker

    def _end(self) -> None:
        logger.critical("%s takes no wake-ups although it is idle; it ends", self.heartbeat.worker.name)
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._stop.wait(EXIT_WITHIN_S):
            os._exit(DEAF)
