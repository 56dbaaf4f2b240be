"""Settles faults inside a stage: stop, hand back, run an earlier stage again, retry, or fail the job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

from cascade.models.errors import ModelError
from cascade.workers.errors import (
    ArtifactLost,
    IllegalTransition,
    JobNotFound,
    LeaseLost,
    Permanent,
    UnreadableRecord,
    WorkerStopping,
)
from cascade.workers.jobs.dead_letters import DeadLetters, give_up
from cascade.workers.jobs.record import Failure
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import hand_back_stage, requeue_stage, rewind
from cascade.workers.queue.lease import Lease, Leases
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import ArtifactStore, stage_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Faults:
    """Settles faults. What ends a job is decided by types of ours; whatever a library raises is tried again."""

    jobs: JobStore
    queue: StageQueue
    leases: Leases
    artifacts: ArtifactStore
    dead_letters: DeadLetters
    settings: Settings

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            queue=StageQueue.of(servers),
            leases=Leases(servers.redis, servers.settings.lease_s),
            artifacts=ArtifactStore.of(servers),
            dead_letters=DeadLetters(servers.redis),
            settings=servers.settings,
        )

    def settle(self, lease: Lease, stage: str, error: Exception) -> None:
        """Write into the job's record what `error` means for it, and queue what is to be done about it."""
        try:
            self._settle(lease, stage, error)
        except JobNotFound:
            self.artifacts.delete_job(lease.job_id)
            logger.info("the job was deleted")
        except IllegalTransition as reason:
            logger.info("stage %s stops: %s", stage, reason)
        except UnreadableRecord as reason:
            logger.error("stage %s leaves the job as it is: %s", stage, reason)  # noqa: TRY400

    def _settle(self, lease: Lease, stage: str, error: Exception) -> None:
        match error:
            case JobNotFound() | IllegalTransition() | UnreadableRecord():
                raise error
            case LeaseLost():
                logger.warning("stage %s was taken over by another worker", stage)
            case WorkerStopping():
                self.jobs.update(lease.job_id, lambda job: hand_back_stage(job, stage))
                self.leases.release_later(lease, 0)
                logger.info("stage %s is handed back", stage)
            case ArtifactLost():
                self._rewind(lease.job_id, stage, error)
            case ModelError() | Permanent():
                logger.error("stage %s failed", stage, exc_info=error)
                self._give_up(lease.job_id, Failure("stage_failed", str(error), stage))
            case _:
                logger.error("stage %s hit a fault", stage, exc_info=error)
                self._retry(lease, stage, error)

    def _rewind(self, job_id: str, stage: str, error: ArtifactLost) -> None:
        """Queue the stage that made a lost input again, unless it has used up its attempts."""
        job = self.jobs.get(job_id)
        if job is None:
            raise JobNotFound(job_id)
        maker = job.previous_stage(stage) or stage
        record = job.stage(maker)
        if record.reused or record.attempts >= self.settings.max_attempts:
            self._give_up(job_id, Failure("artifact_lost", str(error), stage))
            return
        logger.warning("stage %s runs again: %s", maker, error)
        self.artifacts.unmark(stage_key(job, maker))
        self.jobs.update(job_id, lambda current: rewind(current, maker))
        self.queue.put_back(job_id, job.queue(maker))

    def _retry(self, lease: Lease, stage: str, error: Exception) -> None:
        """Try again later, ever later; give up after the last attempt."""
        job = self.jobs.get(lease.job_id)
        if job is None:
            raise JobNotFound(lease.job_id)
        attempts = job.stage(stage).attempts
        if attempts >= self.settings.max_attempts:
            reason = f"{type(error).__name__}: {error} (after {attempts} attempts)"
            self._give_up(lease.job_id, Failure("retries_exhausted", reason, stage))
            return
        self.jobs.update(lease.job_id, lambda current: requeue_stage(current, stage))
        self.leases.release_later(lease, self.settings.retry_backoff_s * 2 ** (attempts - 1))

    def _give_up(self, job_id: str, failure: Failure) -> None:
        give_up(job_id, failure, self.jobs, self.dead_letters)
