"""The reconciler: every open stage waits, is leased, or is delayed; and there is a wake-up for each that waits.

Any process may run it, any number of processes at once. It finds what a process that died, a server that was away, or a
lost answer left behind.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from cascade.workers.errors import IllegalTransition, JobNotFound, UnknownQueue, UnreadableRecord
from cascade.workers.jobs.record import Failure, Job, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import fail, hand_back_stage, requeue_stage
from cascade.workers.keys import LEASES, LINES, OPEN, RECONCILER
from cascade.workers.logs import logging_job
from cascade.workers.outages import outage
from cascade.workers.queue.lease import Lease, Leases
from cascade.workers.queue.queues import all_queues, stage_of
from cascade.workers.queue.wake_ups import WakeUps
from cascade.workers.redis_client import RedisClient, load_script
from cascade.workers.servers import Servers

INTERVAL_S = 1.0
REPAIR_EVERY_S = 5.0
GRACE_S = 3.0
"""How long holders have to renew their leases once Redis is back, before those that ran out meanwhile are taken."""
STOP_S = 1.0
PAGE = 1000
TURN_MS = 900

logger = logging.getLogger(__name__)


@dataclass
class Reconciler:
    """Finds stages that nobody works on, and queues without wake-ups."""

    redis: RedisClient
    jobs: JobStore
    leases: Leases
    wake_ups: WakeUps
    max_attempts: int
    owner: str = field(default_factory=lambda: f"reconciler@{socket.gethostname()}-{os.getpid()}")

    def __post_init__(self) -> None:
        self._find_idle = load_script(self.redis, "queue/find_idle_stages.lua")

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            redis=servers.redis,
            jobs=JobStore(servers.redis, servers.settings),
            leases=Leases(servers.redis, servers.settings.lease_s),
            wake_ups=WakeUps.of(servers),
            max_attempts=servers.settings.max_attempts,
        )

    def recover(self) -> None:
        """Let every stage whose lease has run out wait again; give a job up after its last attempt."""
        while (lease := self.leases.take_expired(self.owner)) is not None:
            with logging_job(lease.job_id), _spares_others():
                try:
                    self._recover_stage(lease)
                except (JobNotFound, IllegalTransition, UnknownQueue, UnreadableRecord) as reason:
                    logger.info("queue %s needs no recovery: %s", lease.queue, reason)
            self.leases.release(lease)

    def balance(self) -> bool:
        """Send wake-ups that are missing and remove those that are too many, unless another process does.

        Returns:
            Whether it was this process's turn.
        """
        if not self.redis.set(RECONCILER, self.owner, nx=True, px=TURN_MS):
            return False
        self.wake_ups.balance(all_queues())
        return True

    def repair(self) -> int:
        """Let every open stage that nobody would find wait again; return how many there were."""
        cursor, found = b"0", 0
        while True:
            cursor, jobs = self._find_idle(keys=[OPEN, LEASES], args=[cursor, PAGE, LINES])
            for job_id in (member.decode(errors="replace") for member in jobs):
                found += 1
                with logging_job(job_id), _spares_others():
                    self._restore(job_id)
            if cursor == b"0":
                return found

    def _recover_stage(self, lease: Lease) -> None:
        name = stage_of(lease.queue)[1].name
        job = self.jobs.get(lease.job_id)
        if job is None or job.open_stage != name:
            return
        stage = job.stage(name)
        if stage.status is StageStatus.QUEUED and stage.retry_at is None:  # taken, and never started
            self._restore(job.id)
            return
        if stage.status is StageStatus.IN_PROGRESS:
            logger.warning("the worker %s of stage %s is lost", stage.worker, name)
        self.jobs.update(lease.job_id, partial(self._recovered, stage=name, now=self.jobs.now()))

    def _recovered(self, job: Job, stage: str, now: float) -> Job:
        record = job.stage(stage)
        lost = record.status is StageStatus.IN_PROGRESS
        if lost and record.waiting_for is not None:
            return hand_back_stage(job, stage)
        if lost and record.attempts >= self.max_attempts:
            failure = Failure("worker_lost", f"its worker was lost {record.attempts} times", stage)
            return fail(job, failure, now)
        return requeue_stage(job, stage)

    def _restore(self, job_id: str) -> None:
        try:
            job = self.jobs.restore(job_id)
        except UnreadableRecord as error:
            logger.error("the job is refused, and deleted with other ended jobs: %s", error)  # noqa: TRY400
            self.jobs.refuse(job_id)
            return
        if job is not None:
            logger.warning("stage %s was left behind; it goes on", job.open_stage)


@contextmanager
def _spares_others() -> Iterator[None]:
    """Log a fault of one job, which must not keep others from being found; an outage is raised."""
    try:
        yield
    except Exception as error:
        if outage(error) is not None:
            raise
        logger.exception("the job hit a fault; others are looked after")


class ReconcilerLoop:
    """Reconciles in the background of a process."""

    def __init__(self, reconciler: Reconciler, lease_s: float) -> None:
        self.reconciler = reconciler
        self.interval_s = min(lease_s / 3, INTERVAL_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; one that waits for Redis ends with the process."""
        self._stop.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        recover_from = repair_from = 0.0
        while not self._stop.wait(self.interval_s):
            started = time.monotonic()
            try:
                if started >= recover_from:
                    self.reconciler.recover()
                is_its_turn = self.reconciler.balance()  # so many processes are no more work for Redis
                if is_its_turn and started >= repair_from:
                    self.reconciler.repair()
                    repair_from = started + REPAIR_EVERY_S
            except Exception as error:
                if outage(error) is None:
                    logger.exception("the reconciler hit a fault; it goes on")
                else:
                    logger.warning("the reconciler goes on when Redis does: %s", error)
                    recover_from = time.monotonic() + GRACE_S
            if time.monotonic() - started > GRACE_S:  # Redis stood still
                recover_from = time.monotonic() + GRACE_S
