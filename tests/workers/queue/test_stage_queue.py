"""Messages in the queues, and the fair turns at first stages."""

from __future__ import annotations

import json
from dataclasses import replace

from cascade.workers.jobs.record import Job, JobRequest
from cascade.workers.jobs.transitions import new_job
from cascade.workers.queue.lease import Leases
from cascade.workers.queue.stage_queue import StageQueue
from tests.workers.examples import FIRST, QUEUE, REQUEST, SECOND


def queued_job(job_id: str, project: str, preset: str = "shapes") -> Job:
    return new_job(job_id, replace(REQUEST, preset=preset), 0.0, project)


def test_projects_take_turns(stage_queue: StageQueue) -> None:
    for job_id, project in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c")):
        stage_queue.put(queued_job(job_id, project), FIRST)
    assert stage_queue.waiting(QUEUE) == 5
    assert [stage_queue.take(QUEUE) for _ in range(6)] == ["a1", "b1", "c1", "a2", "a3", None]


def test_a_latecomer_does_not_wait_for_all_jobs_before_it(stage_queue: StageQueue) -> None:
    for index in range(50):
        stage_queue.put(queued_job(f"a{index}", "many"), FIRST)
    assert [stage_queue.take(QUEUE) for _ in range(10)] == [f"a{index}" for index in range(10)]
    stage_queue.put(queued_job("late", "late"), FIRST)
    assert "late" in [stage_queue.take(QUEUE) for _ in range(2)]


def test_every_queue_has_its_own_turns(stage_queue: StageQueue) -> None:
    stage_queue.put(queued_job("small", "a"), FIRST)
    stage_queue.put(queued_job("large", "a", "show-1"), FIRST)
    assert stage_queue.take("show-1.keyframes") == "large"
    assert stage_queue.take("show-1.keyframes") is None
    assert stage_queue.take(QUEUE) == "small"


def test_a_turn_that_no_worker_leases_is_recovered(stage_queue: StageQueue, leases: Leases) -> None:
    stage_queue = StageQueue(stage_queue.redis, stage_queue.celery, lease_s=0.0)
    stage_queue.put(queued_job("a1", "a"), FIRST)
    assert stage_queue.take(QUEUE) == "a1"
    assert leases.expired() == [("a1", QUEUE)]


def test_a_job_that_is_removed_has_no_turn(stage_queue: StageQueue) -> None:
    jobs = [queued_job(job_id, "a") for job_id in ("a1", "a2")]
    for job in jobs:
        stage_queue.put(job, FIRST)
    stage_queue.remove(jobs[0])
    assert stage_queue.take(QUEUE) == "a2"


def test_a_message_names_job_and_queue(stage_queue: StageQueue) -> None:
    job = new_job("a1", JobRequest("wan", "a cat", 7), 0.0)
    stage_queue.put(job, job.stages[0].name)
    stage_queue.put(queued_job("a2", "a"), SECOND)
    for queue, job_id in (("wan.text-to-video", None), ("shapes.interpolation", "a2")):
        headers = json.loads(stage_queue.redis.lindex(queue, 0))["headers"]
        assert headers["task"] == "cascade.run_stage"
        assert headers["argsrepr"] == repr([job_id, queue])
