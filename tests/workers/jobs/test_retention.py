"""An ended job stays for a while, then it is deleted, its tensors first."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cascade.models.media.file import MP4
from cascade.models.presets.table import get_preset
from cascade.workers.errors import IllegalTransition, JobNotFound
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest, StageOutput
from cascade.workers.jobs.retention import Retention
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import cancel, complete_stage, start_stage
from cascade.workers.keys import INTERMEDIATES_DUE, JOBS_DUE, events_key, job_key, waiting_key
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import FIRST, stored_job

MakeDraft = Callable[..., str]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"intermediate_ttl_s": 100, "result_ttl_s": 1000})


@pytest.fixture
def retention(connected: Servers) -> Retention:
    return Retention.of(connected)


@pytest.fixture
def make_draft(job_queue: JobQueue) -> MakeDraft:
    """Makes completed drafts that ended at a given time."""
    jobs, artifacts = job_queue.jobs, job_queue.artifacts

    def make(ended: float, **fields: Any) -> str:
        job = job_queue.submit(JobRequest("shapes", "a red circle", 7, stop_after=FIRST, **fields))
        prefix = f"jobs/{job.id}/{FIRST}/x"
        files = {"mp4": artifacts.put_file(f"{prefix}.mp4", b"mp4", MP4)}
        large = artifacts.put_tensors(job.id, f"{prefix}.safetensors", b"x" * (2 << 20))
        assert large.place == "s3"
        artifacts.put_embeddings(job.id, f"{prefix}/prompt", b"embeddings")
        jobs.update(job.id, partial(start_stage, stage=FIRST, worker="w", now=ended))
        output = StageOutput(large, files, 1.0, 1)
        jobs.update(job.id, partial(complete_stage, stage=FIRST, output=output, now=ended))
        return job.id

    return make


def count_stored(connected: Servers, job_id: str) -> int:
    keys = len(list(connected.redis.scan_iter(match=f"*{job_id}*")))
    bucket, client = connected.objects.bucket, connected.objects._client
    listing = client.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job_id}")
    return keys + len(listing.get("Contents", []))


def test_nothing_goes_before_its_time(
    connected: Servers, retention: Retention, make_draft: MakeDraft
) -> None:
    job_id = make_draft(time.time() - 95)
    before = count_stored(connected, job_id)
    assert retention.sweep() == 0
    assert count_stored(connected, job_id) == before


def test_tensors_go_first_and_the_video_stays(
    job_queue: JobQueue, retention: Retention, make_draft: MakeDraft
) -> None:
    job_id = make_draft(time.time() - 105)
    assert retention.sweep() == 1
    job = stored_job(job_queue.jobs, job_id)
    assert job.result.artifact is None
    assert job.result.preview is not None
    assert job_queue.artifacts.get(job.result.preview) == b"mp4"
    redis = job_queue.jobs.redis
    assert not list(redis.scan_iter(match="cascade:artifact:*"))
    with pytest.raises(IllegalTransition, match="have expired"):
        job_queue.continue_draft(job_id)
    assert job_queue.jobs.open_jobs() == []
    assert retention.sweep() == 0


def test_an_ended_job_leaves_its_record_and_its_events_in_redis(
    connected: Servers, retention: Retention, make_draft: MakeDraft
) -> None:
    job_id = make_draft(time.time() - 105)
    retention.sweep()
    keys = {key.decode() for key in connected.redis.scan_iter(match=f"*{job_id}*")}
    assert keys == {job_key(job_id), events_key(job_id)}
    for queue in get_preset("shapes").queues:
        assert connected.redis.zcard(waiting_key(queue, "default")) == 0


def test_then_every_byte_goes(
    connected: Servers, jobs: JobStore, retention: Retention, make_draft: MakeDraft
) -> None:
    job_id = make_draft(time.time() - 1005)
    retention.sweep()
    assert jobs.get(job_id) is None
    assert jobs.page(10)[0] == []
    assert count_stored(connected, job_id) == 0


def test_an_unreadable_job_goes_when_its_time_has_come(
    connected: Servers, jobs: JobStore, retention: Retention, make_draft: MakeDraft
) -> None:
    job_id = make_draft(time.time() - 1005)
    connected.redis.set(job_key(job_id), b'{"version": 9}')
    retention.sweep()
    assert jobs.get(job_id) is None
    assert count_stored(connected, job_id) == 0


def test_a_job_may_be_stored_for_a_shorter_time_but_not_a_longer_one(
    jobs: JobStore, retention: Retention, make_draft: MakeDraft
) -> None:
    short = make_draft(time.time() - 65, retention_s=60)
    long = make_draft(time.time() - 1005, retention_s=5000)
    usual = make_draft(time.time() - 65)
    retention.sweep()
    assert jobs.get(short) is None
    assert jobs.get(long) is None
    assert jobs.get(usual) is not None


def test_a_draft_that_goes_on_is_not_swept(job_queue: JobQueue, make_draft: MakeDraft) -> None:
    job_id = make_draft(time.time() - 95)
    job_queue.continue_draft(job_id)
    redis = job_queue.jobs.redis
    for key in (JOBS_DUE, INTERMEDIATES_DUE):
        assert redis.zscore(key, job_id) is None
    job_queue.jobs.update(job_id, partial(cancel, now=time.time()))
    assert redis.zscore(JOBS_DUE, job_id) > time.time() + 990


def test_deleting_leaves_nothing(connected: Servers, job_queue: JobQueue, make_draft: MakeDraft) -> None:
    job_id = make_draft(time.time())
    job_queue.delete(job_id)
    assert count_stored(connected, job_id) == 0
    with pytest.raises(JobNotFound):
        job_queue.delete(job_id)
