"""Jobs as the gateway submits, ends and deletes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kombu.exceptions import OperationalError

from cascade.models.media.file import MP4
from cascade.workers.errors import ArtifactLost, JobNotFound, QueueFull, QuotaExceeded
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.admission import Admission
from cascade.workers.jobs.record import JobStatus, StageStatus
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import FIRST, QUEUE, REQUEST, stored_job


def test_submitting_records_and_queues_the_first_stage(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    assert job_queue.jobs.get(job.id) == job
    assert job_queue.queue.waiting(QUEUE) == 1
    assert job_queue.active_jobs() == [job]


def test_a_job_that_cannot_be_queued_leaves_no_record(job_queue: JobQueue, settings: Settings) -> None:
    nowhere = settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")})
    broken = StageQueue(job_queue.jobs.redis, Servers.connect(nowhere).celery, settings.lease_s)
    with pytest.raises(OperationalError):
        replace(job_queue, queue=broken).submit(REQUEST)
    assert job_queue.jobs.page(10) == ([], False)
    assert job_queue.active_jobs() == []
    assert job_queue.queue.take(QUEUE) is None


def test_a_cancelled_job_has_no_open_stage_and_counts_no_more(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    job_queue.cancel(job.id)
    cancelled = stored_job(job_queue.jobs, job.id)
    assert (cancelled.status, cancelled.open_stage) == (JobStatus.CANCELLED, None)
    assert cancelled.stage(FIRST).status is StageStatus.CANCELLED
    assert job_queue.active_jobs() == []


def test_there_is_room_for_so_many_jobs_in_all_and_by_project(
    job_queue: JobQueue, settings: Settings
) -> None:
    limits = settings.model_copy(update={"max_active_jobs": 3, "max_active_jobs_per_project": 2})
    limited = replace(job_queue, admission=Admission(job_queue.jobs.redis, limits))
    first = limited.submit(REQUEST, "a")
    limited.submit(REQUEST, "a")
    with pytest.raises(QuotaExceeded, match="2 videos"):
        limited.submit(REQUEST, "a")
    limited.submit(REQUEST, "b")
    with pytest.raises(QueueFull, match="3 videos"):
        limited.submit(REQUEST, "b")
    limited.cancel(first.id)
    limited.submit(REQUEST, "b")


def test_deleting_a_job_removes_every_byte(connected: Servers, job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    prefix = f"jobs/{job.id}/"
    job_queue.artifacts.put_tensors(job.id, f"{prefix}small", b"tensors")
    job_queue.artifacts.put_file(f"{prefix}large", b"video", MP4)
    job_queue.delete(job.id)
    assert list(connected.redis.scan_iter(match=f"*{job.id}*")) == []
    with pytest.raises(ArtifactLost):
        connected.objects.get(f"{prefix}large")
    with pytest.raises(JobNotFound):
        job_queue.delete(job.id)
