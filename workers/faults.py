"""Settles faults inside a stage: stop, hand back, run an earlier stage again, retry, or fail the job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from cascade.models.errors import ModelError
from cascade.workers.errors import (
    ArtifactLost,
    IllegalTransition,
    JobNotFound,
    LeaseLost,
    OutageTooLong,
    Permanent,
    UnreadableRecord,
    WorkerStopping,
)
from cascade.workers.jobs.record import Failure, Job
from cascade.workers.jobs.store import JobStore, new_write
from cascade.workers.jobs.transitions import fail, hand_back_stage, requeue_stage, rewind
from cascade.workers.outages import MAX_PAUSE_S, Patience, outage
from cascade.workers.queue.lease import Lease
from cascade.workers.queue.queues import stage_of
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import ArtifactStore, stage_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Faults:
    """Settles faults. What ends a job is decided by types of ours; whatever a library raises is tried again."""

    jobs: JobStore
    artifacts: ArtifactStore
    settings: Settings

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            artifacts=ArtifactStore.of(servers),
            settings=servers.settings,
        )

    def settle(self, lease: Lease, stage: str, error: Exception, patience: Patience) -> None:
        """Write into the job's record what `error` means for it, and so into its queue what is to be done about it.

        While Redis is away this waits; a worker that has to stop meanwhile leaves its stage to recovery.
        """
        try:
            self._settle(lease, stage, error, patience)
        except JobNotFound:
            patience(lambda: self.artifacts.delete_job(lease.job_id))
            logger.info("the job was deleted")
        except IllegalTransition as reason:
            logger.info("stage %s stops: %s", stage, reason)
        except UnreadableRecord as reason:
            logger.error("stage %s leaves the job as it is: %s", stage, reason)  # noqa: TRY400

    def _settle(self, lease: Lease, stage: str, error: Exception, patience: Patience) -> None:
        match error:
            case JobNotFound() | IllegalTransition() | UnreadableRecord():
                raise error
            case LeaseLost():
                logger.warning("stage %s was taken over by another worker", stage)
            case WorkerStopping():
                self._update(lease, patience, partial(hand_back_stage, stage=stage))
                logger.info("stage %s is handed back", stage)
            case ArtifactLost():
                self._rewind(lease, stage, error, patience)
            case ModelError() | Permanent():
                logger.error("stage %s failed", stage, exc_info=error)
                self._give_up(lease, Failure("stage_failed", str(error), stage), patience)
            case _ if (what := outage(error)) is not None:
                logger.warning("stage %s is handed back: %s is away: %s", stage, what, error)
                self._try_after_outage(lease, stage, what, patience)
            case _:
                logger.error("stage %s hit a fault", stage, exc_info=error)
                self._retry(lease, stage, error, patience)

    def _rewind(self, lease: Lease, stage: str, error: ArtifactLost, patience: Patience) -> None:
        """Queue the stage that made a lost input again, unless it has used up its attempts."""
        job = self._job(lease, patience)
        maker = job.previous_stage(stage) or stage
        record = job.stage(maker)
        if record.reused or record.attempts >= self.settings.max_attempts:
            self._give_up(lease, Failure("artifact_lost", str(error), stage), patience)
            return
        logger.warning("stage %s runs again: %s", maker, error)
        patience(lambda: self.artifacts.unmark(stage_key(job, maker)))
        self._update(lease, patience, partial(rewind, stage=maker))

    def _retry(self, lease: Lease, stage: str, error: Exception, patience: Patience) -> None:
        """Try again later, ever later; give up after the last attempt."""
        attempts = self._job(lease, patience).stage(stage).attempts
        if attempts >= self.settings.max_attempts:
            reason = f"{type(error).__name__}: {error} (after {attempts} attempts)"
            self._give_up(lease, Failure("retries_exhausted", reason, stage), patience)
            return
        retry_at = patience(self.jobs.now) + self.settings.retry_backoff_s * 2 ** (attempts - 1)
        self._update(lease, patience, partial(requeue_stage, stage=stage, retry_at=retry_at))

    def _try_after_outage(self, lease: Lease, stage: str, what: str, patience: Patience) -> None:
        """Try again after a pause, without counting the attempt; the record says what the stage waits for."""
        try:
            patience.note(what)
        except OutageTooLong as reason:
            self._give_up(lease, Failure("stage_failed", str(reason), stage), patience)
            return
        patience.noted = False  # the note stays
        retry_at = patience(self.jobs.now) + MAX_PAUSE_S
        self._update(lease, patience, partial(hand_back_stage, stage=stage, retry_at=retry_at))

    def _give_up(self, lease: Lease, failure: Failure, patience: Patience) -> None:
        now = patience(self.jobs.now)
        self._update(lease, patience, partial(fail, failure=failure, now=now))

    def _job(self, lease: Lease, patience: Patience) -> Job:
        job = patience(lambda: self.jobs.get(lease.job_id))
        if job is None:
            raise JobNotFound(lease.job_id)
        _check_holder(job, lease)
        return job

    def _update(self, lease: Lease, patience: Patience, change: Callable[[Job], Job]) -> None:
        def holders_change(job: Job) -> Job:
            _check_holder(job, lease)
            return change(job)

        write = new_write()
        patience(lambda: self.jobs.update(lease.job_id, holders_change, write=write))


def _check_holder(job: Job, lease: Lease) -> None:
    """Raise LeaseLost if the job has gone on without this worker: what it met says nothing about the stage any more."""
    if job.status.final:
        raise IllegalTransition(f"job {job.id} is {job.status} already")
    stage = stage_of(lease.queue)[1].name
    if job.open_stage != stage or job.stage(stage).worker not in (None, lease.worker):
        raise LeaseLost(f"another worker has taken stage {stage}")
