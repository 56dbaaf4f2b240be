"""Wake-ups: Celery messages that tell an idle worker to look at the lines of its queues.

They carry nothing that could be lost: one that goes astray is sent again, one too many finds nothing to do. There is one
for each stage that waits, so that the length of a queue's list is what an autoscaler needs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from cascade.workers.jobs.record import Job, StageStatus
from cascade.workers.keys import line_key, waiting_key
from cascade.workers.queue.celery_app import RUN_NEXT
from cascade.workers.redis_client import RedisClient, load_script

if TYPE_CHECKING:
    from cascade.workers.servers import Servers

MAX_AT_ONCE = 100

logger = logging.getLogger(__name__)


class WakeUps:
    """Sends wake-ups; what cannot be sent is sent by the next process that compares them with what waits."""

    def __init__(self, redis: RedisClient, celery: Celery) -> None:
        self.redis, self.celery = redis, celery
        self._balance = load_script(redis, "queue/balance_wake_ups.lua")

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, servers.celery)

    def send_for(self, job: Job) -> None:
        """Wake a worker for the job's stage, if that waits."""
        if job.open_stage is not None:
            stage = job.stage(job.open_stage)
            if stage.status is StageStatus.QUEUED and stage.retry_at is None:
                self.send(job.queue(stage.name))

    def send(self, queue: str) -> None:
        """Wake a worker of a queue."""
        try:
            self.celery.send_task(RUN_NEXT, queue=queue, retry=False)
        except (OperationalError, RedisError) as error:
            logger.info("a wake-up of %s is left to the next comparison: %s", queue, error)

    def balance(self, queues: Sequence[str]) -> None:
        """Send the wake-ups that are missing, and remove those that nothing waits for."""
        places = [word for queue in queues for word in (queue, line_key(queue), waiting_key(queue, ""))]
        for queue, lacking in zip(queues, self._balance(args=places), strict=True):
            for _ in range(min(lacking, MAX_AT_ONCE)):
                self.send(queue)
