"""The bytes of deleted jobs go, whatever the object store does meanwhile."""

from __future__ import annotations

import time
from functools import partial

import pytest
from botocore.exceptions import BotoCoreError

from cascade.models.media.file import MP4
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.purge import SECOND, Purge
from cascade.workers.jobs.record import StageOutput
from cascade.workers.jobs.retention import Retention
from cascade.workers.jobs.transitions import cancel, complete_stage, start_stage
from cascade.workers.keys import INTERMEDIATES_DUE, JOBS_DUE, OBJECTS_DUE, job_key
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore
from cascade.workers.storage.object_store import ObjectStore
from tests.workers.examples import FIRST, REQUEST


@pytest.fixture
def away(connected: Servers) -> Servers:
    """The same Redis, and an object store that refuses connections."""
    settings = connected.settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    return Servers(settings, connected.redis, ObjectStore(settings, 1, attempts=1), connected.celery)


def count_objects(connected: Servers) -> int:
    return sum(len(page) for page in connected.objects.pages("jobs/"))


def store(connected: Servers, job_id: str) -> None:
    """Store what a job has: tensors in Redis and files in the object store."""
    artifacts = ArtifactStore.of(connected)
    artifacts.put_tensors(job_id, f"jobs/{job_id}/a.safetensors", b"tensors")
    artifacts.put_file(f"jobs/{job_id}/a.mp4", b"mp4", MP4)


def schedule(connected: Servers, *entries: str) -> None:
    connected.redis.zadd(OBJECTS_DUE, dict.fromkeys(entries, 1.0))


def test_a_job_is_purged_once_the_store_is_back(connected: Servers, away: Servers) -> None:
    store(connected, "video_1")
    schedule(connected, "video_1")
    with pytest.raises(BotoCoreError):
        Purge.of(away).sweep()
    assert count_objects(connected) == 1
    schedule(connected, "video_1")  # it is tried again later; now, for the test
    assert Purge.of(connected).sweep() == 1
    assert count_objects(connected) == 0
    assert not list(connected.redis.scan_iter(match="*video_1*"))


def test_what_a_worker_stored_after_the_purge_goes_too(connected: Servers) -> None:
    schedule(connected, "video_1")
    purge = Purge.of(connected)
    purge.sweep()
    store(connected, "video_1")
    assert purge.sweep() == 0  # not due yet
    schedule(connected, f"video_1{SECOND}")
    assert purge.sweep() == 1
    assert count_objects(connected) == 0
    assert connected.redis.zcard(OBJECTS_DUE) == 0


def test_a_job_whose_purge_fails_lets_others_go_first(connected: Servers, away: Servers) -> None:
    schedule(connected, "video_1")
    with pytest.raises(BotoCoreError):
        Purge.of(away).sweep()
    assert Purge.of(connected).due.entries() == []
    assert connected.redis.zscore(OBJECTS_DUE, "video_1") > 1


def test_a_job_that_has_a_record_is_not_purged(connected: Servers) -> None:
    store(connected, "video_1")
    connected.redis.set(job_key("video_1"), b"{}")
    schedule(connected, "video_1")
    Purge.of(connected).sweep()
    assert count_objects(connected) == 1


def ended_job(connected: Servers, **ages_s: float) -> str:
    """A cancelled job with one finished stage; its due times are so many seconds ago."""
    queue = JobQueue.of(connected)
    job_id, now = queue.submit(REQUEST).id, time.time()
    store(connected, job_id)
    tensors = queue.artifacts.put_file(f"jobs/{job_id}/b.safetensors", b"tensors", MP4)
    output = StageOutput(tensors, {}, 1.0, 1)
    for change in (
        partial(start_stage, stage=FIRST, worker="w", now=now),
        partial(complete_stage, stage=FIRST, output=output, now=now),
        partial(cancel, now=now),
    ):
        queue.jobs.update(job_id, change)
    for key, age_s in ages_s.items():
        connected.redis.zadd(key, {job_id: now - age_s})
    return job_id


def test_deleting_and_sweeping_while_the_store_is_away_leave_no_byte_in_the_end(
    connected: Servers, away: Servers
) -> None:
    deleted = ended_job(connected)
    expired = ended_job(connected, **{JOBS_DUE: 1.0})
    JobQueue.of(away).delete(deleted)
    retention = Retention.of(away)
    assert retention.sweep_jobs() == 1
    assert JobQueue.of(connected).jobs.get_all([deleted, expired]) == []
    assert count_objects(connected) == 4
    assert Purge.of(connected).sweep() == 2
    assert count_objects(connected) == 0
    assert not list(connected.redis.scan_iter(match="*video_*"))


def test_tensors_that_expire_while_the_store_is_away_go_when_it_is_back(
    connected: Servers, away: Servers
) -> None:
    job_id = ended_job(connected, **{INTERMEDIATES_DUE: 1.0})
    with pytest.raises(BotoCoreError):
        Retention.of(away).sweep_intermediates()
    connected.redis.zadd(INTERMEDIATES_DUE, {job_id: 1.0})  # it is tried again later; now, for the test
    assert Retention.of(connected).sweep_intermediates() == 1
    assert [found.key for page in connected.objects.pages("") for found in page] == [f"jobs/{job_id}/a.mp4"]


@pytest.mark.parametrize("hours", [1, 8 * 24, -1])
def test_the_clock_of_a_housekeepers_machine_deletes_nothing_and_delays_nothing(
    connected: Servers, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = ended_job(connected), ended_job(connected, **{JOBS_DUE: 1.0})
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 3600 * hours)
    retention = Retention.of(connected)
    assert (retention.sweep_intermediates(), retention.sweep_jobs()) == (0, 1)
    queue = JobQueue.of(connected)
    assert [job.id for job in queue.jobs.get_all([stays, goes])] == [stays]
    assert connected.redis.zscore(JOBS_DUE, stays) > clock() + 6 * 86_400
