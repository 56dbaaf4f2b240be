"""Recovery: stages whose worker has vanished go back to their queue, and delayed retries are woken."""

from __future__ import annotations

import logging
import threading
import time

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from cascade.models.presets.table import StageKind
from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.dead_letters import DeadLetter
from cascade.workers.jobs.record import Failure, IllegalTransition, StageStatus, fail, requeue_stage
from cascade.workers.queue.celery_app import enqueue

logger = logging.getLogger(__name__)


def recover(conveyor: Conveyor) -> None:
    """Requeue every stage whose lease has run out; give a job up after its last attempt."""
    for job_id, kind in conveyor.leases.expired():
        try:
            _recover_stage(conveyor, job_id, kind)
        except (JobNotFound, IllegalTransition) as error:
            logger.info("stage %s of %s needs no recovery: %s", kind, job_id, error)
        conveyor.leases.forget(job_id, kind)


def _recover_stage(conveyor: Conveyor, job_id: str, kind: StageKind) -> None:
    job = conveyor.jobs.get(job_id)
    if job is None or job.status.final:
        return
    stage = job.stage(kind)
    if stage.status is StageStatus.IN_PROGRESS:
        logger.warning("the worker %s of stage %s of %s is lost", stage.worker, kind, job_id)
        if stage.attempts >= conveyor.settings.max_attempts:
            give_up(
                conveyor,
                job_id,
                Failure("worker_lost", f"its worker was lost {stage.attempts} times", kind),
            )
            return
        conveyor.jobs.update(job_id, lambda current: requeue_stage(current, kind))
    # A completed stage is delivered again too: its worker may have been lost before it queued the next one.
    enqueue(conveyor.celery, job_id, kind)


def give_up(conveyor: Conveyor, job_id: str, failure: Failure) -> None:
    """Fail a job and keep a dead letter of it."""
    now = time.time()
    conveyor.jobs.update(job_id, lambda job: fail(job, failure, now))
    conveyor.dead_letters.add(DeadLetter(job_id, failure, now))


class RecoveryLoop:
    """Runs `recover` in the background of every worker; any one of them is enough."""

    def __init__(self, conveyor: Conveyor) -> None:
        self.conveyor = conveyor
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        interval_s = min(self.conveyor.settings.lease_s / 3, 1.0)
        while not self._stop.wait(interval_s):
            try:
                recover(self.conveyor)
            except (RedisError, OperationalError) as error:
                logger.warning("recovery will try again: %s", error)
