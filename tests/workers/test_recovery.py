"""Stages whose worker has vanished, and delayed retries."""

from __future__ import annotations

import time

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job, JobStatus, StageStatus
from cascade.workers.jobs.transitions import start_stage
from cascade.workers.queue.lease import Leases
from cascade.workers.recovery import Recovery
from cascade.workers.servers import Servers
from tests.workers.examples import FIRST, QUEUE, REQUEST, example_job, stored_job


def running_job(job_queue: JobQueue, attempts: int = 1) -> Job:
    job = example_job()
    for _ in range(attempts):
        job = start_stage(job, FIRST, "worker-1", 1.0)
    job_queue.jobs.create(job)
    return job


def test_a_stage_whose_worker_vanished_is_queued_again(
    connected: Servers, job_queue: JobQueue, recovery: Recovery
) -> None:
    running_job(job_queue)
    Leases(connected.redis, lease_s=0.1).take("video_1", QUEUE, "worker-1")
    recovery.recover()
    assert job_queue.queue.waiting(QUEUE) == 0
    time.sleep(0.2)
    recovery.recover()
    recovery.recover()
    assert job_queue.queue.waiting(QUEUE) == 1
    assert stored_job(job_queue.jobs).stage(FIRST).status is StageStatus.QUEUED


def test_a_stage_that_loses_every_worker_fails_and_can_be_replayed(
    connected: Servers, job_queue: JobQueue, recovery: Recovery
) -> None:
    running_job(job_queue, attempts=connected.settings.max_attempts)
    Leases(connected.redis, lease_s=0.01).take("video_1", QUEUE, "worker-1")
    time.sleep(0.1)
    recovery.recover()
    job = stored_job(job_queue.jobs)
    assert job.failure is not None
    assert (job.status, job.failure.code, job.failure.stage) == (JobStatus.FAILED, "worker_lost", FIRST)
    assert [letter.job_id for letter in job_queue.dead_letters.list()] == ["video_1"]
    assert job_queue.queue.waiting(QUEUE) == 0
    job_queue.replay("video_1")
    assert job_queue.queue.waiting(QUEUE) == 1
    assert job_queue.dead_letters.list() == []


def test_a_delayed_retry_is_woken_when_its_time_has_come(
    connected: Servers, job_queue: JobQueue, recovery: Recovery, leases: Leases
) -> None:
    job = job_queue.submit(REQUEST)
    connected.redis.delete(QUEUE)
    lease = leases.take(job.id, QUEUE, "a")
    assert lease is not None
    leases.release_later(lease, 0.3)
    recovery.recover()
    assert job_queue.queue.waiting(QUEUE) == 0
    time.sleep(0.4)
    recovery.recover()
    assert job_queue.queue.waiting(QUEUE) == 1


def test_a_lease_of_a_queue_that_is_gone_is_removed(
    connected: Servers, job_queue: JobQueue, recovery: Recovery
) -> None:
    running_job(job_queue)
    leases = Leases(connected.redis, lease_s=0.01)
    for queue in ("keyframes", "dreams.keyframes"):
        leases.take("video_1", queue, "worker-1")
    time.sleep(0.05)
    recovery.recover()
    assert leases.expired() == []
    assert stored_job(job_queue.jobs).stage(FIRST).status is StageStatus.IN_PROGRESS
