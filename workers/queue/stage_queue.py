"""The queues as jobs pass through them: a first stage waits for its project's turn, later stages go straight in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from celery import Celery

from cascade.workers.jobs.record import Job
from cascade.workers.queue.celery_app import send_run_stage
from cascade.workers.queue.fair_queue import FairQueue
from cascade.workers.redis_client import RedisClient

if TYPE_CHECKING:
    from cascade.workers.servers import Servers


class StageQueue:
    """Messages for the workers of every queue. Where Redis cannot be reached, kombu's OperationalError is raised."""

    def __init__(self, redis: RedisClient, celery: Celery, lease_s: float) -> None:
        self.redis, self.celery = redis, celery
        self.turns = FairQueue(redis, lease_s)

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, servers.celery, servers.settings.lease_s)

    def put(self, job: Job, stage: str) -> None:
        """Put a stage of a job into its queue; the first stage waits for its project's turn."""
        queue = job.queue(stage)
        if stage != job.stages[0].name:
            self.put_back(job.id, queue)
            return
        self.turns.add(queue, job.project, job.id)
        send_run_stage(self.celery, None, queue)

    def put_back(self, job_id: str, queue: str) -> None:
        """Put a stage into its queue that needs no turn: it has had it, or is not the first."""
        send_run_stage(self.celery, job_id, queue)

    def take(self, queue: str) -> str | None:
        """Take the job whose turn it is; None if none waits."""
        return self.turns.take(queue)

    def waiting(self, queue: str) -> int:
        """Count the messages in a queue."""
        length: int = self.redis.llen(queue)
        return length

    def remove(self, job: Job) -> None:
        """Take a job that waits for its first stage out of the round."""
        self.turns.remove(job.queue(job.stages[0].name), job.project, job.id)
