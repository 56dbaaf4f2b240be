"""Job records become kinds of jobs with measured times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cascade.models.presets.table import get_preset
from cascade.workers.jobs.record import Job, JobRequest
from cascade.workers.jobs.transitions import complete_stage, new_job, start_stage
from cascade.workers.planning.records import (
    RecordedJob,
    RecordedStage,
    TooFewRecords,
    arrivals_again,
    kinds_of,
    per_second,
    recorded,
)
from tests.workers.examples import OUTPUT, STAGES


def finished_job(now: float, seconds: float, stop_after: str | None = None) -> Job:
    """A job whose stages took `seconds` each."""
    job = new_job("video_1", JobRequest("shapes", "a red circle", 7, stop_after=stop_after), now)
    while (stage := job.open_stage) is not None:
        job = start_stage(job, stage, "worker", now)
        now += seconds
        job = complete_stage(job, stage, OUTPUT, now)
    return job


def test_jobs_are_sorted_by_preset_size_and_stages() -> None:
    jobs = [finished_job(100, 2.0), finished_job(200, 3.0), finished_job(300, 1.0, stop_after=STAGES[0])]
    records = [record for job in jobs if (record := recorded(job)) is not None]
    draft, whole = kinds_of(records, p95_s=60, speeds={"slow": 1.0, "fast": 2.0})
    size = get_preset("shapes").stages[-1].size
    assert draft.name == f"shapes {size} {STAGES[0]}"
    assert whole.name == f"shapes {size} {STAGES[0]} to {STAGES[-1]}"
    assert (draft.weight, whole.weight) == (1, 2)
    assert [visit.queue for visit in whole.visits] == [f"shapes.{stage}" for stage in STAGES]
    assert whole.visits[0].seconds == {"slow": (2.0, 3.0), "fast": (1.0, 1.5)}
    assert whole.visits[0].memory_bytes == OUTPUT.peak_memory_bytes
    assert per_second(records) == pytest.approx(2 / 200)


def test_what_is_not_completed_or_was_tried_again_says_nothing() -> None:
    running = new_job("video_1", JobRequest("shapes", "a red circle", 7), 100)
    done = finished_job(100, 2.0)
    tried_twice = replace(done, stages=(replace(done.stages[0], attempts=2), *done.stages[1:]))
    assert recorded(running) is None
    assert recorded(tried_twice) is None


def test_stages_that_were_reused_are_no_part_of_the_way() -> None:
    done = finished_job(100, 2.0)
    remix = recorded(replace(done, stages=(replace(done.stages[0], reused=True), *done.stages[1:])))
    assert remix is not None
    assert [stage.name for stage in remix.stages] == list(STAGES[1:])


def test_without_records_it_is_said_what_to_do() -> None:
    with pytest.raises(TooFewRecords, match="--stage or --file"):
        kinds_of([], 60, {"cpu": 1.0})
    one = RecordedJob("a", "16x16", 5.0, (RecordedStage("draw", 1.0),))
    with pytest.raises(TooFewRecords, match="--jobs-per-day"):
        per_second([one, one])


def test_recorded_jobs_come_again_at_their_times() -> None:
    jobs = [RecordedJob("a", "16x16", at, (RecordedStage("draw", at),), "p") for at in (9.0, 5.0)]
    again = arrivals_again(jobs, kinds_of(jobs, 60, {"cpu": 1.0}), seed=0)
    assert [(arrival.at, arrival.project) for arrival in again] == [(0.0, "p"), (4.0, "p")]
    assert again[0].kind.visits[0].seconds == {"cpu": (9.0, 5.0)}
