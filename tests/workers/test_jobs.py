"""Job records: legal transitions, compare-and-set and the list."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from cascade.models.presets.table import InvalidParameter, StageKind
from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import (
    Artifact,
    Failure,
    IllegalTransition,
    Job,
    JobRequest,
    JobStatus,
    StageOutput,
    StageStatus,
    advance_stage,
    cancel,
    complete_stage,
    fail,
    hand_back_stage,
    new_job,
    replay,
    requeue_stage,
    rewind,
    start_stage,
)

REQUEST = JobRequest("shapes", "a red circle", 7)
FILE = Artifact("s3", "jobs/x/clip", 3, "abc", "video/mp4")
OUTPUT = StageOutput(FILE, {"mp4": FILE}, 1.5, 1000)
FIRST, SECOND = StageKind.KEYFRAMES, StageKind.INTERPOLATION


def fresh(job_id: str = "video_1", now: float = 100.0) -> Job:
    return new_job(job_id, REQUEST, now)


def test_a_job_walks_through_its_stages_to_completion() -> None:
    job = fresh()
    assert job.status is JobStatus.QUEUED
    for kind in StageKind:
        assert job.stage(kind).status is StageStatus.QUEUED
        job = start_stage(job, kind, "worker-1", 101.0)
        assert job.status is JobStatus.IN_PROGRESS
        job = advance_stage(job, kind, 1, 2)
        job = complete_stage(job, kind, OUTPUT, 102.0)
    assert job.status is JobStatus.COMPLETED
    assert job.finished_at == 102.0
    assert job.progress == 1.0


def test_progress_counts_the_steps_of_all_stages() -> None:
    job = new_job("video_1", replace(REQUEST, steps=dict.fromkeys(StageKind, 10)), 0)
    job = advance_stage(start_stage(job, FIRST, "w", 1), FIRST, 5, 10)
    assert job.progress == 5 / 40


def test_what_is_over_does_not_change() -> None:
    running = start_stage(fresh(), FIRST, "w", 1)
    for over in (cancel(running, 2), fail(running, Failure("x", "y", FIRST), 2)):
        for change in (
            lambda job: start_stage(job, FIRST, "w", 3),
            lambda job: advance_stage(job, FIRST, 1, 2),
            lambda job: complete_stage(job, FIRST, OUTPUT, 3),
            lambda job: cancel(job, 3),
        ):
            with pytest.raises(IllegalTransition):
                change(over)


def test_a_stage_cannot_start_before_its_turn() -> None:
    with pytest.raises(IllegalTransition, match="pending"):
        start_stage(fresh(), SECOND, "w", 1)


def test_only_attempts_that_count_are_counted() -> None:
    job = start_stage(fresh(), FIRST, "w", 1)
    assert requeue_stage(job, FIRST).stage(FIRST).attempts == 1
    assert hand_back_stage(job, FIRST).stage(FIRST).attempts == 0


def test_a_lost_clip_sends_the_job_back_to_the_stage_that_made_it() -> None:
    job = complete_stage(start_stage(fresh(), FIRST, "w", 1), FIRST, OUTPUT, 2)
    job = rewind(start_stage(job, SECOND, "w", 3), FIRST)
    assert job.stage(FIRST).status is StageStatus.QUEUED
    assert job.stage(SECOND).status is StageStatus.PENDING


def test_a_failed_job_can_be_replayed_from_where_it_failed() -> None:
    failed = fail(start_stage(fresh(), FIRST, "w", 1), Failure("x", "y", FIRST), 2)
    job = replay(failed)
    assert (job.status, job.failure) == (JobStatus.IN_PROGRESS, None)
    assert (job.stage(FIRST).status, job.stage(FIRST).attempts) == (StageStatus.QUEUED, 0)
    with pytest.raises(IllegalTransition):
        replay(job)


def test_requests_are_checked_against_the_preset() -> None:
    for changes, parameter in (
        ({"size": "300x200"}, "size"),
        ({"steps": {"keyframes": 0}}, "steps.keyframes"),
        ({"steps": {"upscaling": 3}}, "steps.upscaling"),
        ({"guidance_scale": {"keyframes": 0.5}}, "guidance_scale.keyframes"),
        ({"preset": "nothing"}, "model"),
    ):
        with pytest.raises(InvalidParameter) as caught:
            new_job("video_1", replace(REQUEST, **changes), 0)
        assert caught.value.parameter == parameter
        assert "choose" in str(caught.value) or "its stages are" in str(caught.value)


def test_concurrent_writers_lose_nothing(conveyor: Conveyor) -> None:
    conveyor.jobs.create(start_stage(fresh(), FIRST, "w", 1))

    def write() -> None:
        for _ in range(20):
            conveyor.jobs.update(
                "video_1", lambda job: advance_stage(job, FIRST, job.stage(FIRST).step + 1, 1000)
            )

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conveyor.jobs.get("video_1").stage(FIRST).step == 8 * 20


def test_a_record_survives_storage_as_it_was(conveyor: Conveyor) -> None:
    job = complete_stage(start_stage(fresh(), FIRST, "w", 1), FIRST, OUTPUT, 2)
    conveyor.jobs.create(job)
    assert conveyor.jobs.get(job.id) == job
    assert conveyor.jobs.get("video_2") is None
    with pytest.raises(JobNotFound):
        conveyor.jobs.update("video_2", lambda job: job)


def test_pages_walk_through_all_jobs_in_both_orders(conveyor: Conveyor) -> None:
    for number in range(5):
        conveyor.jobs.create(fresh(f"video_{number}", now=100.0 + number))
    for newest_first, expected in ((True, [4, 3, 2, 1, 0]), (False, [0, 1, 2, 3, 4])):
        seen, after, more = [], None, True
        while more:
            jobs, more = conveyor.jobs.page(2, after, newest_first=newest_first)
            seen += [job.id for job in jobs]
            after = jobs[-1].id
        assert seen == [f"video_{number}" for number in expected]
    with pytest.raises(JobNotFound):
        conveyor.jobs.page(2, "video_99")
