"""Records in Redis: compare-and-set, and pages."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from typing import Any, cast

import pytest
from pydantic import SecretStr
from redis.commands.core import Script

from cascade.service.stack.embedded import Credentials
from cascade.workers.errors import IllegalTransition, JobNotFound, UnreadableRecord
from cascade.workers.jobs.record import StageStatus
from cascade.workers.jobs.store import UNMARKED, JobStore
from cascade.workers.jobs.transitions import advance_stage, cancel, complete_stage, start_stage
from cascade.workers.keys import JOBS_DUE, OPEN, job_key
from cascade.workers.redis_client import connect_redis
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import FIRST, OUTPUT, example_job, stored_job
from tests.workers.lossy_proxy import lossy_proxy

CHANGES = (
    partial(start_stage, stage=FIRST, worker="w", now=1.0),
    partial(complete_stage, stage=FIRST, output=OUTPUT, now=2.0),
    partial(cancel, now=3.0),
)


def test_concurrent_writers_lose_nothing(jobs: JobStore) -> None:
    jobs.create(start_stage(example_job(), FIRST, "w", 1))

    def write() -> None:
        for _ in range(20):
            jobs.update("video_1", CHANGES[0])

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored_job(jobs).stage(FIRST).attempts == 1 + 8 * 20


def test_a_record_survives_storage_as_it_was(jobs: JobStore) -> None:
    job = jobs.create(complete_stage(start_stage(example_job(), FIRST, "w", 1), FIRST, OUTPUT, 2))
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
        page, after = jobs.page(2, newest_first=newest_first)
        ids += [job.id for job in page]
        while after is not None:
            page, after = jobs.page(2, after, newest_first=newest_first)
            ids += [job.id for job in page]
        assert ids == [f"video_{number}" for number in expected]
    with pytest.raises(JobNotFound):
        jobs.page(2, "video_99")


def test_a_page_goes_on_after_a_job_that_was_deleted_meanwhile(jobs: JobStore) -> None:
    for number in range(5):
        jobs.create(example_job(f"video_{number}", now=100.0 + number))
    assert jobs.delete("video_2")
    assert [job.id for job in jobs.page(2, "video_2")[0]] == ["video_1", "video_0"]
    assert [job.id for job in jobs.page(2, "video_2", newest_first=False)[0]] == ["video_3", "video_4"]


def test_a_change_whose_answer_is_lost_counts_as_carried_out(
    jobs: JobStore, servers: Credentials, settings: Settings
) -> None:
    jobs.create(example_job("video_2"))  # both scripts are known to the server from here on
    jobs.update("video_2", CHANGES[0])
    with lossy_proxy(servers.redis_port) as proxy:
        url = servers.redis_url.replace(str(servers.redis_port), str(proxy.port))
        there = settings.model_copy(update={"redis_url": SecretStr(url)})
        redis = connect_redis(there)
        lossy = JobStore(redis, there)
        redis.ping()
        proxy.lose_next(b"EVALSHA")
        lossy.create(example_job())
        for change in CHANGES:
            proxy.lose_next(b"EVALSHA")
            lossy.update("video_1", change)
        proxy.lose_next(b"EVALSHA")
        assert lossy.delete("video_1")
        assert proxy.lost == 2 + len(CHANGES)
        redis.close()
    assert (jobs.get("video_1"), jobs.open_jobs()) == (None, ["video_2"])


def test_a_job_whose_answer_is_lost_while_a_worker_is_at_it_already_counts_as_created(
    connected: Servers, settings: Settings
) -> None:
    jobs, workers_jobs = (JobStore(connected.redis, settings) for _ in range(2))
    send = jobs._admit

    def lose_answer(keys: list[str], args: list[Any]) -> object:
        assert send(keys, args) == b"ok"
        workers_jobs.update("video_1", CHANGES[0])
        for step in range(20):
            workers_jobs.update(
                "video_1", partial(advance_stage, stage=FIRST, step=step, steps=20), write=UNMARKED
            )
        return send(keys, args)

    jobs._admit = cast("Script", lose_answer)
    assert jobs.create(example_job()).stage(FIRST).status is StageStatus.IN_PROGRESS
    with pytest.raises(IllegalTransition, match="there is a job"):
        workers_jobs.create(example_job())


def test_an_unreadable_record_hides_no_other_and_can_be_refused_and_deleted(jobs: JobStore) -> None:
    for number in range(2):
        jobs.create(example_job(f"video_{number}", now=100.0 + number))
    jobs.redis.set(job_key("video_1"), json.dumps({"version": 9, "id": "video_1", "project": "default"}))
    assert jobs.redis.hexists(OPEN, "video_1")
    assert [job.id for job in jobs.page(10)[0]] == ["video_0"]
    with pytest.raises(UnreadableRecord):
        jobs.get("video_1")
    jobs.refuse("video_1")
    assert jobs.open_jobs() == ["video_0"]
    assert jobs.redis.zscore(JOBS_DUE, "video_1") > time.time()
    assert jobs.delete("video_1")
    assert not jobs.delete("video_1")
