"""Job records as version 1 wrote them (`records_version_1.json`, by its own code) are upgraded when they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cascade.models.presets.table import get_preset
from cascade.workers.errors import UnreadableRecord
from cascade.workers.jobs.codec import dump_job, load_job, version_of
from cascade.workers.jobs.record import Artifact, Failure, Job, JobStatus, Motion, StageStatus
from cascade.workers.jobs.transitions import continue_draft

RECORDS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "records_version_1.json").read_text()
)
FILE = Artifact("s3", "jobs/x/clip", 3, "abc", "video/mp4")


def read(name: str, **changes: Any) -> Job:
    return load_job(json.dumps(RECORDS[name] | changes).encode())


@pytest.mark.parametrize("name", RECORDS)
def test_an_upgraded_record_is_written_in_the_new_version_and_read_back(name: str) -> None:
    job = read(name)
    assert version_of(json.dumps(RECORDS[name]).encode()) == 1
    assert version_of(dump_job(job)) == 2
    assert load_job(dump_job(job)) == job


def test_a_queued_job_gets_the_plan_of_its_preset() -> None:
    job = read("queued")
    assert (job.id, job.created_at, job.project) == ("video_queued", 100.0, "default")
    assert job.plan == get_preset("shapes").stages
    assert [stage.status for stage in job.stages] == [StageStatus.QUEUED] + [StageStatus.PENDING] * 3


def test_every_choice_of_the_request_is_in_the_plan_and_nothing_else_is_lost() -> None:
    job = read("running")
    request = job.request
    steps = {"keyframes": 20, "super-resolution": 30}
    assert job.plan == get_preset("show-1").resolve(None, steps, {"interpolation": 3.0})
    assert (request.steps, request.guidance_scale) == (steps, {"interpolation": 3.0})
    assert (request.stop_after, request.negative_prompt) == ("super-resolution", "blur")
    assert request.motion == Motion("show-1", "zigzag", "ab" * 32, 50.0)
    assert (request.webhook_url, request.retention_s) == ("https://example.com/hook", 3600)
    assert (request.metadata, job.project) == ({"order": "42"}, "engines")
    first, second = job.stages[:2]
    assert (first.status, first.artifact, first.preview) == (StageStatus.COMPLETED, FILE, FILE)
    assert (second.status, second.step, second.worker) == (StageStatus.IN_PROGRESS, 5, "interpolation@host-2")


def test_drafts_can_still_be_continued() -> None:
    job = read("draft")
    assert (job.status, [draft.seed for draft in job.stages[0].drafts]) == (JobStatus.COMPLETED, [9, 10])
    assert str(job.plan[-1].size) == "128x80"
    assert continue_draft(job, 0).open_stage == "interpolation"


def test_reused_outputs_stay_reused() -> None:
    job = read("remix")
    assert (job.remixed_from, job.stages[0].reused, job.open_stage) == (
        "video_running",
        True,
        "interpolation",
    )


def test_a_stage_that_has_another_name_now_is_found_by_its_position() -> None:
    job = read("wan")
    assert job.stage_names == ("text-to-video",)
    assert (job.plan[0].steps, job.plan[0].guidance_scale) == (30, 6.0)
    assert (job.request.steps, job.queue(job.stages[0].name)) == ({"text-to-video": 30}, "wan.text-to-video")
    assert read("failed").failure == Failure("stage_failed", "no memory", "text-to-video")
    assert read("cancelled").request.stop_after == "text-to-video"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request": RECORDS["queued"]["request"] | {"preset": "dreams"}}, 'preset "dreams".*does not have'),
        ({"request": RECORDS["queued"]["request"] | {"size": "300x200"}}, "cannot be planned any more"),
        ({"request": RECORDS["queued"]["request"] | {"stop_after": "decoding"}}, 'names a stage "decoding"'),
        ({"stages": RECORDS["queued"]["stages"][:3]}, "has 3 stages"),
        ({"stages": [{}]}, "is damaged"),
        ({"version": 3}, "of version 3; this version of Cascade reads 1 and 2"),
    ],
)
def test_what_cannot_be_upgraded_is_refused_with_a_clear_word(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnreadableRecord, match=message):
        read("queued", **changes)
