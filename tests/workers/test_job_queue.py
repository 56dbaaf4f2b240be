"""Jobs as the gateway submits, ends and deletes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cascade.models.media.file import MP4
from cascade.workers.errors import AlreadyClaimed, ArtifactLost, JobNotFound, QueueFull, QuotaExceeded
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.claim import Claim, Claimed
from cascade.workers.jobs.record import JobStatus, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import complete_stage, start_stage
from cascade.workers.keys import STORED
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import FIRST, OUTPUT, QUEUE, REQUEST, stored_job

CLAIM = Claim("cascade:idempotency:default:x", "digest")


def limited(job_queue: JobQueue, settings: Settings, **limits: int) -> JobQueue:
    return replace(job_queue, jobs=JobStore(job_queue.jobs.redis, settings.model_copy(update=dict(limits))))


def test_submitting_records_and_queues_the_first_stage(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    assert job_queue.jobs.get(job.id) == job
    assert job_queue.waiting.count(QUEUE) == 1
    assert job_queue.jobs.open_jobs() == [job.id]


def test_a_cancelled_job_has_no_open_stage_and_counts_no_more(job_queue: JobQueue) -> None:
    job = job_queue.submit(REQUEST)
    job_queue.cancel(job.id)
    cancelled = stored_job(job_queue.jobs, job.id)
    assert (cancelled.status, cancelled.open_stage) == (JobStatus.CANCELLED, None)
    assert cancelled.stage(FIRST).status is StageStatus.CANCELLED
    assert job_queue.jobs.open_jobs() == []


def test_there_is_room_for_so_many_jobs_in_all_and_by_project(
    job_queue: JobQueue, settings: Settings
) -> None:
    queue = limited(job_queue, settings, max_active_jobs=3, max_active_jobs_per_project=2)
    first = queue.submit(REQUEST, "a")
    queue.submit(REQUEST, "a")
    with pytest.raises(QuotaExceeded, match="2 videos"):
        queue.submit(REQUEST, "a")
    queue.submit(REQUEST, "b")
    with pytest.raises(QueueFull, match="3 videos"):
        queue.submit(REQUEST, "b")
    assert len(queue.jobs.page(10, project="a")[0]) == 2
    queue.cancel(first.id)
    queue.submit(REQUEST, "b")


def test_a_project_may_store_so_many_bytes(
    connected: Servers, job_queue: JobQueue, settings: Settings
) -> None:
    queue = limited(job_queue, settings, max_stored_bytes_per_project=OUTPUT.artifact.size_bytes)
    job = queue.submit(replace(REQUEST, stop_after=FIRST), "a")
    queue.jobs.update(job.id, lambda job: start_stage(job, FIRST, "w", 1.0))
    queue.jobs.update(job.id, lambda job: complete_stage(job, FIRST, OUTPUT, 2.0))
    assert connected.redis.hgetall(STORED) == {b"a": b"%d" % OUTPUT.artifact.size_bytes}
    with pytest.raises(QuotaExceeded, match="delete some"):
        queue.submit(REQUEST, "a")
    with pytest.raises(QuotaExceeded, match="delete some"):
        queue.continue_draft(job.id)
    queue.submit(REQUEST, "b")
    queue.delete(job.id)
    assert connected.redis.hgetall(STORED) == {b"a": b"0"}
    queue.submit(REQUEST, "a")


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


def test_a_claim_is_written_with_the_job_or_not_at_all(job_queue: JobQueue, settings: Settings) -> None:
    full = limited(job_queue, settings, max_active_jobs=0)
    with pytest.raises(QueueFull):
        full.submit(REQUEST, claim=CLAIM)
    assert job_queue.jobs.claimed(CLAIM) is None
    job = job_queue.submit(REQUEST, claim=CLAIM)
    assert job_queue.jobs.claimed(CLAIM) == Claimed("digest", job.id)
    with pytest.raises(AlreadyClaimed) as refusal:
        job_queue.submit(REQUEST, claim=CLAIM)
    assert refusal.value.claimed.job_id == job.id
    assert job_queue.jobs.open_jobs() == [job.id]
    with pytest.raises(AlreadyClaimed):
        job_queue.cancel(job.id, CLAIM)
    assert not stored_job(job_queue.jobs, job.id).status.final
