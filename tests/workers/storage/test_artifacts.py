"""Artifacts in Redis and S3, and their deterministic keys."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cascade.models.media.file import MP4, PNG, File
from cascade.workers.errors import ArtifactLost
from cascade.workers.jobs.record import Job, Motion
from cascade.workers.jobs.transitions import new_job
from cascade.workers.keys import artifact_key
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import DAY_S, ArtifactStore, stage_key
from tests.workers.examples import FIRST, OUTPUT, REQUEST, SECOND


def job_with(**changes: Any) -> Job:
    return new_job("video_1", replace(REQUEST, **changes), 0.0)


@pytest.mark.parametrize(("size_bytes", "place"), [(1000, "redis"), (1_600_000, "s3")])
def test_small_tensors_travel_through_redis_and_large_ones_through_s3(
    connected: Servers, artifacts: ArtifactStore, size_bytes: int, place: str
) -> None:
    artifact = artifacts.put_tensors("video_1", "jobs/video_1/x", b"t" * size_bytes)
    assert (artifact.place, artifact.size_bytes) == (place, size_bytes)
    assert artifacts.get(artifact) == b"t" * size_bytes
    if place == "redis":
        ttl_s = connected.redis.ttl(artifact_key("jobs/video_1/x"))
        assert 0 < ttl_s <= connected.settings.intermediate_ttl_s + DAY_S


def test_an_output_is_stored_with_its_renditions(artifacts: ArtifactStore) -> None:
    files = {"mp4": File(b"video", ".mp4", MP4), "thumbnail": File(b"picture", "-thumbnail.png", PNG)}
    tensors, stored = artifacts.put_all("video_1", "jobs/video_1/a/b", b"tensors", files)
    assert (tensors.key, artifacts.get(tensors)) == ("jobs/video_1/a/b.safetensors", b"tensors")
    assert stored["mp4"].key == "jobs/video_1/a/b.mp4"
    assert (stored["thumbnail"].key, stored["thumbnail"].media_type) == (
        "jobs/video_1/a/b-thumbnail.png",
        PNG,
    )
    assert {kind: artifacts.get(file) for kind, file in stored.items()} == {
        "mp4": b"video",
        "thumbnail": b"picture",
    }


def test_damaged_or_vanished_bytes_are_never_used(connected: Servers, artifacts: ArtifactStore) -> None:
    small = artifacts.put_tensors("video_1", "jobs/video_1/small", b"tensors")
    large = artifacts.put_file("jobs/video_1/large", b"video", MP4)
    connected.redis.set(artifact_key("jobs/video_1/small"), b"Tensors")
    connected.objects.put("jobs/video_1/large", b"Video", MP4)
    for artifact in (small, large):
        with pytest.raises(ArtifactLost, match="checksum"):
            artifacts.get(artifact)
    artifacts.delete_job("video_1")
    for artifact in (small, large):
        with pytest.raises(ArtifactLost, match="gone"):
            artifacts.get(artifact)


def test_an_output_is_marked_as_done_until_it_is_lost(artifacts: ArtifactStore) -> None:
    assert artifacts.done_output("jobs/video_1/a") is None
    artifacts.mark_done("video_1", "jobs/video_1/a", OUTPUT)
    assert artifacts.done_output("jobs/video_1/a") == OUTPUT
    artifacts.unmark("jobs/video_1/a")
    assert artifacts.done_output("jobs/video_1/a") is None


def test_the_same_inputs_have_the_same_key_and_later_parameters_do_not_matter() -> None:
    key = stage_key(job_with(), FIRST)
    assert key == stage_key(job_with(), FIRST) == stage_key(job_with(steps={SECOND: 3}), FIRST)
    assert stage_key(job_with(), SECOND) != stage_key(job_with(steps={SECOND: 3}), SECOND)
    for changes in (
        {"seed": 8},
        {"prompt": "a blue square"},
        {"negative_prompt": "blur"},
        {"steps": {FIRST: 3}},
        {"best_of": 2},
        {"motion": Motion("shapes", "zigzag", "ab", 0.0)},
    ):
        assert stage_key(job_with(**changes), FIRST) != key


def test_the_key_is_of_the_plan_and_not_of_what_the_preset_has_become() -> None:
    job = job_with()
    changed = replace(job, plan=(replace(job.plan[0], steps=19), *job.plan[1:]))
    assert stage_key(changed, FIRST) != stage_key(job, FIRST)
    assert stage_key(changed, SECOND) != stage_key(job, SECOND)


def test_a_presigned_url_downloads_over_http_and_expires(
    connected: Servers, artifacts: ArtifactStore, settings: Settings
) -> None:
    artifact = artifacts.put_file("jobs/video_1/video.mp4", b"an mp4", MP4)
    answer = httpx.get(connected.objects.presign(artifact.key, "my.mp4", MP4))
    assert (answer.content, answer.headers["content-type"]) == (b"an mp4", MP4)
    assert "my.mp4" in answer.headers["content-disposition"]
    unsigned = httpx.get(f"{settings.s3_endpoint_url}/{settings.s3_bucket}/{artifact.key}")
    assert unsigned.is_client_error
    brief = Servers.connect(settings.model_copy(update={"presign_expiry_s": 1}))
    url = brief.objects.presign(artifact.key, "my.mp4", MP4)
    time.sleep(2.1)
    assert httpx.get(url).is_client_error
