"""Records in Redis: compare-and-set, and pages."""

from __future__ import annotations

import json
import threading
import time

import pytest

from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import advance_stage, complete_stage, start_stage
from cascade.workers.keys import ACTIVE, JOBS_DUE, job_key
from tests.workers.examples import FIRST, OUTPUT, example_job, stored_job


def test_concurrent_writers_lose_nothing(jobs: JobStore) -> None:
    jobs.create(start_stage(example_job(), FIRST, "w", 1))

    def write() -> None:
        for _ in range(20):
            jobs.update("video_1", lambda job: advance_stage(job, FIRST, job.stage(FIRST).step + 1, 1000))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored_job(jobs).stage(FIRST).step == 8 * 20


def test_a_record_survives_storage_as_it_was(jobs: JobStore) -> None:
    job = complete_stage(start_stage(example_job(), FIRST, "w", 1), FIRST, OUTPUT, 2)
    jobs.create(job)
    assert jobs.get(job.id) == job
    assert jobs.get("video_2") is None
    with pytest.raises(JobNotFound):
        jobs.update("video_2", lambda job: job)


def test_a_change_for_another_version_is_refused(jobs: JobStore) -> None:
    jobs.create(example_job())
    with pytest.raises(IllegalTransition, match="not of version 1"):
        jobs.update("video_1", lambda job: start_stage(job, FIRST, "w", 1), version=1)


def test_pages_walk_through_all_jobs_in_both_orders(jobs: JobStore) -> None:
    for number in range(5):
        jobs.create(example_job(f"video_{number}", now=100.0 + number))
    for newest_first, expected in ((True, [4, 3, 2, 1, 0]), (False, [0, 1, 2, 3, 4])):
        ids: list[str] = []
        after, more = None, True
        while more:
            page, more = jobs.page(2, after, newest_first=newest_first)
            ids += [job.id for job in page]
            after = page[-1].id
        assert ids == [f"video_{number}" for number in expected]
    with pytest.raises(JobNotFound):
        jobs.page(2, "video_99")


def test_an_unreadable_record_hides_no_other_and_can_be_refused_and_deleted(jobs: JobStore) -> None:
    for number in range(2):
        jobs.create(example_job(f"video_{number}", now=100.0 + number))
    jobs.redis.set(job_key("video_1"), json.dumps({"version": 9, "id": "video_1", "project": "default"}))
    jobs.redis.sadd(ACTIVE, "video_1")
    assert [job.id for job in jobs.page(10)[0]] == ["video_0"]
    with pytest.raises(UnreadableRecord):
        jobs.get("video_1")
    jobs.refuse("video_1", time.time())
    assert jobs.redis.scard(ACTIVE) == 0
    assert jobs.redis.zscore(JOBS_DUE, "video_1") > time.time()
    assert jobs.delete("video_1")
    assert not jobs.delete("video_1")
