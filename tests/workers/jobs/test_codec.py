"""Records as they are stored."""

from __future__ import annotations

import json

import pytest

from cascade.workers.errors import UnreadableRecord
from cascade.workers.jobs.codec import dump_job, load_job, project_of, version_of
from cascade.workers.jobs.record import Failure, JobRequest, Motion
from cascade.workers.jobs.transitions import complete_stage, fail, new_job, start_stage
from tests.workers.examples import FIRST, OUTPUT, SECOND, example_job


def test_a_record_comes_back_as_it_was() -> None:
    request = JobRequest(
        "shapes",
        "a red circle",
        7,
        size="128x80",
        steps={FIRST: 3},
        motion=Motion("shapes", "zigzag", "ab", 5.0),
        metadata={"order": "42"},
    )
    job = complete_stage(start_stage(new_job("video_1", request, 0.5), FIRST, "w", 1), FIRST, OUTPUT, 2)
    job = fail(start_stage(job, SECOND, "w", 3), Failure("x", "y", SECOND), 4)
    assert load_job(dump_job(job)) == job


def test_the_version_and_the_project_are_read_from_any_version() -> None:
    later = json.dumps({"version": 9, "project": "engines", "words": 3}).encode()
    assert (version_of(later), project_of(later)) == (9, "engines")
    with pytest.raises(UnreadableRecord, match="of version 9"):
        load_job(later)


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        b"[]",
        b"[" * 100_000,
        b'{"version": 2}',
        b'{"version": [2]}',
        b'{"version": 2, "id": "video_1"}',
        b"{}",
        b'{"request": "x", "stages": [{"kind": "keyframes"}]}',
        *(
            json.dumps({**json.loads(dump_job(example_job())), "plan": plan}).encode()
            for plan in (
                None,
                5,
                "x",
                [1],
                [{"options": 5}],
                [{"options": [1]}],
                [{"options": {"type": [1]}}],
            )
        ),
    ],
)
def test_a_damaged_record_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        load_job(content)
