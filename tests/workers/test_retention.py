"""What has ended is kept for a while, then deleted, the tensors first."""

from __future__ import annotations

import time
from functools import partial

import pytest

from cascade.models.presets.table import StageKind
from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import (
    IllegalTransition,
    JobRequest,
    StageOutput,
    cancel,
    complete_stage,
    start_stage,
)
from cascade.workers.jobs.retention import sweep
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import MP4

KIND = StageKind.KEYFRAMES


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"intermediate_ttl_s": 100, "result_ttl_s": 1000})


def draft(conveyor: Conveyor, ended: float, **fields: object) -> str:
    """A completed draft, that ended at a given time."""
    job = conveyor.submit(JobRequest("shapes", "a red circle", 7, stop_after=KIND, **fields))
    prefix = f"jobs/{job.id}/{KIND}/x"
    files = {"mp4": conveyor.artifacts.put_file(f"{prefix}.mp4", b"mp4", MP4)}
    big = conveyor.artifacts.put_tensors(job.id, f"{prefix}.safetensors", b"x" * (2 << 20))
    assert big.place == "s3"
    conveyor.artifacts.put_embeddings(job.id, f"{prefix}/prompt", b"embeddings")
    conveyor.jobs.update(job.id, partial(start_stage, kind=KIND, worker="w", now=ended))
    output = StageOutput(big, files, 1.0, 1)
    conveyor.jobs.update(job.id, partial(complete_stage, kind=KIND, output=output, now=ended))
    return job.id


def stored(conveyor: Conveyor, job_id: str) -> int:
    keys = len(list(conveyor.redis.scan_iter(match=f"*{job_id}*")))
    listing = conveyor.objects._client.list_objects_v2(
        Bucket=conveyor.objects.bucket, Prefix=f"jobs/{job_id}"
    )
    return keys + len(listing.get("Contents", []))


def test_nothing_goes_before_its_time(conveyor: Conveyor) -> None:
    job_id = draft(conveyor, time.time() - 95)
    before = stored(conveyor, job_id)
    assert sweep(conveyor) == 0
    assert stored(conveyor, job_id) == before


def test_tensors_go_first_and_the_clip_stays(conveyor: Conveyor) -> None:
    job_id = draft(conveyor, time.time() - 105)
    assert sweep(conveyor) == 1
    job = conveyor.jobs.get(job_id)
    assert job.result.artifact is None
    assert conveyor.artifacts.get(job.result.preview) == b"mp4"
    assert not list(conveyor.redis.scan_iter(match="cascade:artifact:*"))
    with pytest.raises(IllegalTransition, match="not kept any more"):
        conveyor.continue_draft(job_id)
    assert conveyor.redis.scard("cascade:active") == 0
    assert sweep(conveyor) == 0


def test_then_every_byte_goes(conveyor: Conveyor) -> None:
    job_id = draft(conveyor, time.time() - 1005)
    sweep(conveyor)
    assert conveyor.jobs.get(job_id) is None
    assert conveyor.jobs.page(10)[0] == []
    assert stored(conveyor, job_id) == 0


def test_a_job_may_be_kept_shorter_but_not_longer(conveyor: Conveyor) -> None:
    short = draft(conveyor, time.time() - 65, retention_s=60)
    long = draft(conveyor, time.time() - 1005, retention_s=5000)
    kept = draft(conveyor, time.time() - 65)
    sweep(conveyor)
    assert conveyor.jobs.get(short) is None
    assert conveyor.jobs.get(long) is None
    assert conveyor.jobs.get(kept) is not None


def test_a_draft_that_goes_on_is_not_swept(conveyor: Conveyor) -> None:
    job_id = draft(conveyor, time.time() - 95)
    conveyor.continue_draft(job_id)
    for key in ("cascade:due:jobs", "cascade:due:intermediates"):
        assert conveyor.redis.zscore(key, job_id) is None
    conveyor.jobs.update(job_id, partial(cancel, now=time.time()))
    assert conveyor.redis.zscore("cascade:due:jobs", job_id) > time.time() + 990


def test_deleting_leaves_nothing(conveyor: Conveyor) -> None:
    job_id = draft(conveyor, time.time())
    conveyor.delete(job_id)
    assert stored(conveyor, job_id) == 0
    with pytest.raises(JobNotFound):
        conveyor.delete(job_id)
