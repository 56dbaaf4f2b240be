"""Open jobs of version 1 move to the queues of this version; their records are as its own code wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascade.workers.adoption import Adoption
from cascade.workers.jobs.record import StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import cancel, start_stage
from cascade.workers.keys import EARLIER_ACTIVE, JOBS_DUE, LEASE_HOLDERS, LEASES, job_key, jobs_key
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.servers import Servers
from tests.workers.examples import stored_job

RECORDS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "jobs" / "records_version_1.json").read_text()
)
OPEN = ("queued", "running", "wan", "remix")


@pytest.fixture
def adoption(connected: Servers) -> Adoption:
    """Adoption in a deployment where version 1 was stopped."""
    redis = connected.redis
    for name, record in RECORDS.items():
        redis.set(job_key(record["id"]), json.dumps(record))
        redis.zadd(jobs_key(record["project"]), {record["id"]: record["created_at"]})
        if name in OPEN:
            redis.sadd(EARLIER_ACTIVE, record["id"])
            redis.sadd(f"{EARLIER_ACTIVE}:{record['project']}", record["id"])
    for queue in ("keyframes", "interpolation", "super-resolution", "expert-translation"):
        redis.rpush(queue, "a message")
    redis.rpush("cascade:waiting:default", "video_queued")
    redis.zadd("cascade:turns", {"default": 1})
    redis.set("cascade:turns:clock", 1)
    redis.zadd(LEASES, {"video_running/interpolation": 2e9, "video_new/shapes.keyframes": 2e9})
    redis.hset(LEASE_HOLDERS, "video_running/interpolation", "interpolation@host-2")
    return Adoption.of(connected)


def test_open_jobs_move_to_the_new_queues_and_what_was_there_is_emptied(
    connected: Servers, adoption: Adoption, jobs: JobStore, waiting: WaitingStages
) -> None:
    assert adoption.adopt() == 4
    counts = {
        queue: waiting.count(queue)
        for queue in ("shapes.keyframes", "show-1.interpolation", "wan.text-to-video", "show-1.keyframes")
    }
    assert counts == {
        "shapes.keyframes": 1,
        "show-1.interpolation": 2,
        "wan.text-to-video": 1,
        "show-1.keyframes": 0,
    }
    for queue, job_id in (("shapes.keyframes", "video_queued"), ("wan.text-to-video", "video_wan")):
        lease = waiting.take((queue,), "worker")
        assert lease is not None
        assert lease.job_id == job_id
    running = stored_job(jobs, "video_running").stage("interpolation")
    assert (running.status, running.attempts, running.worker) == (StageStatus.QUEUED, 0, None)
    redis = connected.redis
    for queue in ("keyframes", "interpolation", "super-resolution", "expert-translation"):
        assert not redis.exists(queue)
    assert (
        redis.keys("cascade:turns*") == redis.keys("cascade:waiting:*") == redis.keys("cascade:active*") == []
    )
    assert "video_running/interpolation" not in str(redis.zrange(LEASES, 0, -1))
    assert redis.zscore(LEASES, "video_new/shapes.keyframes") is not None
    assert not redis.hexists(LEASE_HOLDERS, "video_running/interpolation")


def test_adopting_again_moves_nothing(adoption: Adoption, waiting: WaitingStages) -> None:
    assert adoption.adopt() == 4
    assert adoption.adopt() == 0
    assert waiting.count("show-1.interpolation") == 2


def test_a_job_that_a_worker_took_meanwhile_runs_on(adoption: Adoption, jobs: JobStore) -> None:
    jobs.update("video_running", lambda job: start_stage(job, "interpolation", "new", 200.0))
    adoption.adopt()
    stage = stored_job(jobs, "video_running").stage("interpolation")
    assert (stage.status, stage.worker) == (StageStatus.IN_PROGRESS, "new")


def test_an_open_job_that_cannot_be_read_is_refused_and_later_deleted(
    connected: Servers, adoption: Adoption, jobs: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    record = RECORDS["queued"]
    request = record["request"] | {"preset": "dreams"}
    connected.redis.set(job_key("video_queued"), json.dumps(record | {"request": request}))
    assert adoption.adopt() == 3
    assert 'preset "dreams"' in caplog.text
    assert "video_queued" not in jobs.open_jobs()
    assert connected.redis.zscore(JOBS_DUE, "video_queued") is not None


def test_an_adopted_job_can_be_ended(connected: Servers, adoption: Adoption, jobs: JobStore) -> None:
    adoption.adopt()
    jobs.update("video_running", lambda job: cancel(job, 300.0))
    assert stored_job(jobs, "video_running").stage("interpolation").status is StageStatus.CANCELLED
    assert "video_running" not in jobs.open_jobs()
