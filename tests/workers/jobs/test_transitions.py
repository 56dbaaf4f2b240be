"""Legal and illegal changes of a job, as pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cascade.models.errors import InvalidParameter
from cascade.models.presets.table import get_preset
from cascade.workers.errors import IllegalTransition
from cascade.workers.jobs.record import Draft, Failure, Job, JobRequest, JobStatus, StageStatus
from cascade.workers.jobs.transitions import (
    advance_stage,
    cancel,
    complete_stage,
    continue_draft,
    drop_intermediates,
    fail,
    hand_back_stage,
    new_job,
    remix,
    replay,
    requeue_stage,
    rewind,
    start_stage,
)
from tests.workers.examples import FILE, FIRST, OUTPUT, REQUEST, SECOND, STAGES, example_job

OPEN = (StageStatus.QUEUED, StageStatus.IN_PROGRESS)


def first_completed(request: JobRequest = REQUEST) -> Job:
    job = start_stage(new_job("video_1", request, 0.0), FIRST, "w", 1)
    return complete_stage(job, FIRST, OUTPUT, 2)


def test_a_job_walks_through_its_stages_to_completion() -> None:
    job = example_job()
    assert job.status is JobStatus.QUEUED
    for stage in STAGES:
        assert job.stage(stage).status is StageStatus.QUEUED
        job = start_stage(job, stage, "worker-1", 101.0)
        assert job.status is JobStatus.IN_PROGRESS
        job = advance_stage(job, stage, 1, 2)
        job = complete_stage(job, stage, OUTPUT, 102.0)
    assert job.status is JobStatus.COMPLETED
    assert job.finished_at == 102.0
    assert job.progress == 1.0


def test_the_plan_is_resolved_once_from_the_request() -> None:
    job = new_job("video_1", replace(REQUEST, size="128x80", steps={SECOND: 3}), 0)
    assert job.plan == get_preset("shapes").resolve("128x80", {SECOND: 3})
    assert job.spec(SECOND).steps == job.stage(SECOND).steps == 3
    assert str(job.plan[-1].size) == "128x80"


def test_progress_counts_the_steps_of_all_stages() -> None:
    job = new_job("video_1", replace(REQUEST, steps=dict.fromkeys(STAGES, 10)), 0)
    job = advance_stage(start_stage(job, FIRST, "w", 1), FIRST, 5, 10)
    # Super-resolution has a first frame of 2 steps and four windows of 10, and expert translation does the last 5 of 10.
    assert job.progress == 5 / (10 + 10 + 2 + 4 * 10 + 5)


def test_a_job_that_is_over_does_not_change() -> None:
    running = start_stage(example_job(), FIRST, "w", 1)
    changes: tuple[Callable[[Job], Job], ...] = (
        lambda job: start_stage(job, FIRST, "w", 3),
        lambda job: advance_stage(job, FIRST, 1, 2),
        lambda job: complete_stage(job, FIRST, OUTPUT, 3),
        lambda job: rewind(job, FIRST),
        lambda job: cancel(job, 3),
    )
    for over in (cancel(running, 2), fail(running, Failure("x", "y", FIRST), 2)):
        for change in changes:
            with pytest.raises(IllegalTransition):
                change(over)


def test_a_cancelled_job_leaves_no_stage_open() -> None:
    queued = example_job()
    running = start_stage(first_completed(), SECOND, "w", 3)
    for job, stage in ((queued, FIRST), (first_completed(), SECOND), (running, SECOND)):
        cancelled = cancel(job, 5.0)
        assert cancelled.status is JobStatus.CANCELLED
        assert cancelled.stage(stage).status is StageStatus.CANCELLED
        assert cancelled.stage(stage).finished_at == 5.0
        assert [record.name for record in cancelled.stages if record.status in OPEN] == []
        assert cancelled.open_stage is None
    assert cancel(running, 5.0).stage(FIRST).status is StageStatus.COMPLETED


def test_a_stage_cannot_start_before_its_turn() -> None:
    with pytest.raises(IllegalTransition, match="pending"):
        start_stage(example_job(), SECOND, "w", 1)


def test_an_attempt_that_was_handed_back_does_not_count() -> None:
    job = start_stage(example_job(), FIRST, "w", 1)
    assert requeue_stage(job, FIRST).stage(FIRST).attempts == 1
    assert hand_back_stage(job, FIRST).stage(FIRST).attempts == 0


def test_a_lost_output_sends_the_job_back_to_the_stage_that_made_it() -> None:
    job = rewind(start_stage(first_completed(), SECOND, "w", 3), FIRST)
    assert job.stage(FIRST).status is StageStatus.QUEUED
    assert job.stage(FIRST).artifact is None
    assert job.stage(SECOND).status is StageStatus.PENDING


def test_a_failed_job_can_be_replayed_from_where_it_failed() -> None:
    failed = fail(start_stage(example_job(), FIRST, "w", 1), Failure("x", "y", FIRST), 2)
    assert failed.stage(FIRST).status is StageStatus.FAILED
    job = replay(failed)
    assert (job.status, job.failure) == (JobStatus.IN_PROGRESS, None)
    assert (job.stage(FIRST).status, job.stage(FIRST).attempts) == (StageStatus.QUEUED, 0)
    with pytest.raises(IllegalTransition):
        replay(job)


def test_a_draft_stops_after_its_stage_and_can_be_continued_once() -> None:
    draft = first_completed(replace(REQUEST, stop_after=FIRST))
    assert draft.status is JobStatus.COMPLETED
    job = continue_draft(draft)
    assert (job.status, job.open_stage, job.request.stop_after) == (JobStatus.QUEUED, SECOND, None)
    for over in (job, drop_intermediates(draft)):
        with pytest.raises(IllegalTransition):
            continue_draft(over)


def test_a_draft_that_is_continued_from_another_output_takes_its_seed() -> None:
    drafts = tuple(Draft(seed, 0.5, FILE, {}) for seed in (7, 8))
    draft = start_stage(example_job(), FIRST, "w", 1)
    draft = replace(draft, request=replace(REQUEST, stop_after=FIRST, best_of=2))
    draft = complete_stage(draft, FIRST, replace(OUTPUT, drafts=drafts, chosen=0), 2)
    assert continue_draft(draft, 1).seed == 8
    with pytest.raises(InvalidParameter, match="count from 0"):
        continue_draft(draft, 2)


def test_a_remix_takes_over_outputs_with_the_plan_that_made_them() -> None:
    source = first_completed(replace(REQUEST, steps={FIRST: 3}))
    job = remix(source, "video_2", replace(REQUEST, prompt="a blue square"), SECOND, 9.0)
    assert (job.remixed_from, job.open_stage) == ("video_1", SECOND)
    assert job.stage(FIRST).reused
    assert job.spec(FIRST).steps == 3
    with pytest.raises(IllegalTransition, match="no output to take over"):
        remix(source, "video_2", REQUEST, STAGES[2], 9.0)


def test_the_tensors_of_an_open_job_do_not_expire() -> None:
    with pytest.raises(IllegalTransition, match="goes on"):
        drop_intermediates(example_job())


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"size": "300x200"}, "size"),
        ({"steps": {FIRST: 0}}, f"steps.{FIRST}"),
        ({"steps": {"upscaling": 3}}, "steps.upscaling"),
        ({"guidance_scale": {FIRST: 0.5}}, f"guidance_scale.{FIRST}"),
        ({"stop_after": "upscaling"}, "stop_after"),
        ({"preset": "nothing"}, "model"),
    ],
)
def test_requests_are_checked_against_the_preset(changes: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        new_job("video_1", replace(REQUEST, **changes), 0)
    assert caught.value.parameter == parameter
    assert "choose" in str(caught.value) or "its stages are" in str(caught.value)
