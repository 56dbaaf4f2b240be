"""Leases, artifacts, hand-off, recovery and the queue, over real servers."""

from __future__ import annotations

import time
from dataclasses import replace

import httpx
import pytest
import torch
from kombu.exceptions import OperationalError
from pydantic import ValidationError

from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.presets.table import StageKind
from cascade.workers.errors import ArtifactLost, JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import Job, JobRequest, JobStatus, StageStatus, new_job, start_stage
from cascade.workers.queue.heartbeat import Presence, live_workers
from cascade.workers.queue.lease import Leases
from cascade.workers.recovery import recover
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import DAY_S, MP4, stage_key
from cascade.workers.storage.serialization import pack_clip, pack_embeddings, unpack_clip, unpack_embeddings

REQUEST = JobRequest("shapes", "a red circle", 7)
KIND = StageKind.KEYFRAMES


def queue_length(conveyor: Conveyor, kind: StageKind = KIND) -> int:
    return conveyor.redis.llen(str(kind))


def running_job(conveyor: Conveyor, attempts: int = 1) -> Job:
    job = new_job("video_1", REQUEST, 0.0)
    for _ in range(attempts):
        job = start_stage(job, KIND, "worker-1", 1.0)
    conveyor.jobs.create(job)
    return job


def test_submitting_records_and_queues_the_first_stage(conveyor: Conveyor) -> None:
    job = conveyor.submit(REQUEST)
    assert conveyor.jobs.get(job.id) == job
    assert queue_length(conveyor) == 1


def test_a_job_that_cannot_be_queued_leaves_no_record(conveyor: Conveyor, settings: Settings) -> None:
    nowhere = Conveyor.connect(
        settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")})
    )
    with pytest.raises(OperationalError):
        replace(conveyor, celery=nowhere.celery).submit(REQUEST)
    assert conveyor.jobs.page(10) == ([], False)


def test_one_lease_at_a_time_and_it_runs_out(conveyor: Conveyor) -> None:
    leases = Leases(conveyor.redis, lease_s=0.4)
    first = leases.take("video_1", KIND, "a")
    assert first is not None
    assert leases.take("video_1", KIND, "b") is None
    with leases.renewing(first):
        time.sleep(0.8)
        assert leases.take("video_1", KIND, "b") is None
        assert leases.expired() == []
    time.sleep(0.5)
    assert leases.expired() == [("video_1", KIND)]
    assert leases.take("video_1", KIND, "b") is not None
    assert not leases.renew(first)


def test_a_holder_that_lost_its_lease_is_told(conveyor: Conveyor) -> None:
    leases = Leases(conveyor.redis, lease_s=0.3)
    lease = leases.take("video_1", KIND, "a")
    conveyor.redis.hset("cascade:lease-holders", lease.member, "b")
    with leases.renewing(lease):
        assert lease.lost.wait(2)


def test_a_stage_whose_worker_vanished_is_queued_again(conveyor: Conveyor) -> None:
    running_job(conveyor)
    Leases(conveyor.redis, lease_s=0.1).take("video_1", KIND, "worker-1")
    recover(conveyor)
    assert queue_length(conveyor) == 0
    time.sleep(0.2)
    recover(conveyor)
    recover(conveyor)
    assert queue_length(conveyor) == 1
    assert conveyor.jobs.get("video_1").stage(KIND).status is StageStatus.QUEUED


def test_a_stage_that_loses_every_worker_fails_and_can_be_replayed(conveyor: Conveyor) -> None:
    running_job(conveyor, attempts=conveyor.settings.max_attempts)
    Leases(conveyor.redis, lease_s=0.01).take("video_1", KIND, "worker-1")
    time.sleep(0.1)
    recover(conveyor)
    job = conveyor.jobs.get("video_1")
    assert (job.status, job.failure.code, job.failure.stage) == (JobStatus.FAILED, "worker_lost", KIND)
    assert [letter.job_id for letter in conveyor.dead_letters.list()] == ["video_1"]
    assert queue_length(conveyor) == 0
    conveyor.replay("video_1")
    assert queue_length(conveyor) == 1
    assert conveyor.dead_letters.list() == []


def test_a_delayed_retry_is_woken_when_its_time_has_come(conveyor: Conveyor) -> None:
    conveyor.submit(REQUEST)
    conveyor.redis.delete(str(KIND))
    job = conveyor.jobs.page(1)[0][0]
    lease = conveyor.leases.take(job.id, KIND, "a")
    conveyor.leases.wake_later(lease, 0.3)
    recover(conveyor)
    assert queue_length(conveyor) == 0
    time.sleep(0.4)
    recover(conveyor)
    assert queue_length(conveyor) == 1


@pytest.mark.parametrize(("elements", "place"), [(100, "redis"), (400_000, "s3")])
def test_small_tensors_travel_through_redis_and_large_ones_through_s3(
    conveyor: Conveyor, elements: int, place: str
) -> None:
    clip = Clip(torch.randn(1, 1, 1, 1, elements), 8)
    artifact = conveyor.artifacts.put_tensors("video_1", "jobs/video_1/x", pack_clip(clip))
    assert artifact.place == place
    back = unpack_clip(conveyor.artifacts.get(artifact))
    assert torch.equal(back.frames, clip.frames)
    assert back.fps == 8
    if place == "redis":
        ttl_s = conveyor.redis.ttl("cascade:artifact:jobs/video_1/x")
        assert 0 < ttl_s <= conveyor.settings.intermediate_ttl_s + DAY_S


def test_damaged_or_vanished_bytes_are_never_used(conveyor: Conveyor) -> None:
    artifacts = conveyor.artifacts
    small = artifacts.put_tensors("video_1", "jobs/video_1/small", b"tensors")
    large = artifacts.put_file("jobs/video_1/large", b"video", MP4)
    conveyor.redis.set("cascade:artifact:jobs/video_1/small", b"Tensors")
    conveyor.objects.put("jobs/video_1/large", b"Video", MP4)
    for artifact in (small, large):
        with pytest.raises(ArtifactLost, match="checksum"):
            artifacts.get(artifact)
    artifacts.delete_job("video_1")
    for artifact in (small, large):
        with pytest.raises(ArtifactLost, match="gone"):
            artifacts.get(artifact)


def test_what_is_no_clip_is_refused() -> None:
    embeddings = PromptEmbeddings(torch.ones(1, 2, 3), torch.zeros(1, 2, 3))
    packed = pack_embeddings(embeddings)
    assert torch.equal(unpack_embeddings(packed).prompt, embeddings.prompt)
    for content in (packed, b"not safetensors"):
        with pytest.raises(ArtifactLost):
            unpack_clip(content)


def test_the_same_inputs_have_the_same_key_and_later_parameters_do_not_matter() -> None:
    def key(kind: StageKind, **changes: object) -> str:
        return stage_key(new_job("video_1", replace(REQUEST, **changes), 0.0), kind)

    assert key(KIND) == key(KIND)
    assert key(KIND) == key(KIND, steps={"interpolation": 3})
    assert key(StageKind.INTERPOLATION) != key(StageKind.INTERPOLATION, steps={"interpolation": 3})
    for changes in (
        {"seed": 8},
        {"prompt": "a blue square"},
        {"negative_prompt": "blur"},
        {"steps": {"keyframes": 3}},
    ):
        assert key(KIND) != key(KIND, **changes)


def test_a_presigned_url_downloads_over_http_and_expires(conveyor: Conveyor, settings: Settings) -> None:
    artifact = conveyor.artifacts.put_file("jobs/video_1/video.mp4", b"an mp4", MP4)
    answer = httpx.get(conveyor.presign(artifact, "my.mp4"))
    assert (answer.content, answer.headers["content-type"]) == (b"an mp4", MP4)
    unsigned = httpx.get(f"{settings.s3_endpoint_url}/{settings.s3_bucket}/{artifact.key}")
    assert unsigned.is_client_error
    brief = Conveyor.connect(settings.model_copy(update={"presign_expiry_s": 1})).presign(artifact, "my.mp4")
    time.sleep(2.1)
    assert httpx.get(brief).is_client_error


def test_deleting_a_job_removes_every_byte(conveyor: Conveyor) -> None:
    job = conveyor.submit(REQUEST)
    prefix = f"jobs/{job.id}/"
    conveyor.artifacts.put_tensors(job.id, f"{prefix}small", b"tensors")
    conveyor.artifacts.put_file(f"{prefix}large", b"video", MP4)
    conveyor.delete(job.id)
    assert list(conveyor.redis.scan_iter(match=f"*{job.id}*")) == []
    with pytest.raises(ArtifactLost):
        conveyor.objects.get(f"{prefix}large")
    with pytest.raises(JobNotFound):
        conveyor.delete(job.id)


def test_live_workers_are_listed_until_they_stop(conveyor: Conveyor) -> None:
    presence = Presence(conveyor.redis, KIND, ("shapes",))
    presence.start()
    presence.set("busy", "video_1")
    [worker] = live_workers(conveyor.redis)
    assert (worker.kind, worker.state, worker.job_id) == (KIND, "busy", "video_1")
    presence.stop()
    assert live_workers(conveyor.redis) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visibility_timeout_s": 3600}, "CASCADE_VISIBILITY_TIMEOUT_S"),
        ({"presets": "shapes,dreams"}, "unknown presets"),
        ({"port": 70000}, "port"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(values: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**values)


def test_secrets_do_not_show(settings: Settings) -> None:
    shown = repr(settings) + str(settings)
    assert settings.s3_secret_key.get_secret_value() not in shown
    assert settings.redis_url.get_secret_value() not in shown
