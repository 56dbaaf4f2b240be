"""Recovery: stages whose worker has vanished go back to their queue, and delayed retries are woken."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Self

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from cascade.workers.errors import IllegalTransition, JobNotFound, UnknownQueue, UnreadableRecord
from cascade.workers.jobs.dead_letters import DeadLetters, give_up
from cascade.workers.jobs.record import Failure, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import requeue_stage
from cascade.workers.logs import logging_job
from cascade.workers.queue.lease import Leases
from cascade.workers.queue.queues import stage_of
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovery:
    """Finds stages that nobody works on."""

    jobs: JobStore
    queue: StageQueue
    leases: Leases
    dead_letters: DeadLetters
    max_attempts: int

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            queue=StageQueue.of(servers),
            leases=Leases(servers.redis, servers.settings.lease_s),
            dead_letters=DeadLetters(servers.redis),
            max_attempts=servers.settings.max_attempts,
        )

    def recover(self) -> None:
        """Requeue every stage whose lease has run out; give a job up after its last attempt."""
        for job_id, queue in self.leases.expired():
            with logging_job(job_id):
                try:
                    self._recover_stage(job_id, queue)
                except (JobNotFound, IllegalTransition, UnknownQueue, UnreadableRecord) as reason:
                    logger.info("queue %s needs no recovery: %s", queue, reason)
            self.leases.remove_expired(job_id, queue)

    def _recover_stage(self, job_id: str, queue: str) -> None:
        name = stage_of(queue)[1].name
        job = self.jobs.get(job_id)
        if job is None or job.status.final:
            return
        stage = job.stage(name)
        if stage.status is StageStatus.IN_PROGRESS:
            logger.warning("the worker %s of stage %s is lost", stage.worker, name)
            if stage.attempts >= self.max_attempts:
                failure = Failure("worker_lost", f"its worker was lost {stage.attempts} times", name)
                give_up(job_id, failure, self.jobs, self.dead_letters)
                return
            self.jobs.update(job_id, lambda current: requeue_stage(current, name))
        # A completed stage is delivered again too: its worker may have been lost before it queued the next one.
        self.queue.put_back(job_id, queue)


class RecoveryLoop:
    """Runs `recover` in the background of every worker; any one of them is enough."""

    def __init__(self, recovery: Recovery, lease_s: float) -> None:
        self.recovery = recovery
        self.interval_s = min(lease_s / 3, 1.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            try:
                self.recovery.recover()
            except (RedisError, OperationalError) as error:
                logger.warning("recovery will try again: %s", error)
