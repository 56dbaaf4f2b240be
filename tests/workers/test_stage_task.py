"""The task body of all stages, with stages that stand in for networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from safetensors.torch import save

from cascade.models.clip import Clip, Latents, Output
from cascade.models.errors import StageInputError
from cascade.models.stage import StageInputs
from cascade.workers.errors import ArtifactLost, TimeLimitExceeded, WorkerStopping
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job, JobRequest, JobStatus, StageStatus
from cascade.workers.jobs.transitions import complete_stage, start_stage
from cascade.workers.keys import LEASES, artifact_key, job_key, waiting_key
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.reconciler import Reconciler
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.stage_task import StageTask
from cascade.workers.storage.motions import Motions
from cascade.workers.storage.serialization import unpack_output
from tests.workers.examples import FIRST, OUTPUT, QUEUE, REQUEST, SECOND, stored_job
from tests.workers.fake_stage import FakeStage, MakeOutput, gray_clip, latents, loads

NEXT_QUEUE = f"shapes.{SECOND}"
RunStage = Callable[[FakeStage], StageTask]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"retry_backoff_s": 0.0})


@pytest.fixture
def task_of(connected: Servers) -> RunStage:
    """Makes the task of a worker that has loaded a stage."""
    return lambda stage: StageTask.of(
        connected, Heartbeat(connected.redis, (QUEUE, NEXT_QUEUE)), loads(stage)
    )


def failing(*errors: Exception) -> MakeOutput:
    """Raise these errors, one a call, then make a clip."""
    remaining = list(errors)

    def make(inputs: StageInputs[Any]) -> Output:
        if remaining:
            raise remaining.pop(0)
        return gray_clip(inputs)

    return make


def held_leases(task: StageTask) -> int:
    count: int = task.leases.redis.zcard(LEASES)
    return count


def submitted(job_queue: JobQueue, **changes: Any) -> str:
    return job_queue.submit(replace(REQUEST, **changes)).id


def run_until_over(task: StageTask, job_id: str, reconciler: Reconciler) -> Job:
    """Deliver the first stage again and again, as its messages would, until it is not queued any more."""
    for _ in range(10):
        task.run()
        job = stored_job(task.jobs, job_id)
        if job.stage(FIRST).status is not StageStatus.QUEUED:
            return job
        time.sleep(0.01)
        reconciler.recover()
    raise AssertionError("the stage is tried again for ever")


def test_a_stage_is_stored_recorded_and_followed_by_the_next(job_queue: JobQueue, task_of: RunStage) -> None:
    job_id, stage = submitted(job_queue), FakeStage(gray_clip)
    task = task_of(stage)
    task.run()
    job = stored_job(job_queue.jobs, job_id)
    record = job.stage(FIRST)
    assert (record.status, record.attempts, record.step, record.steps) == (StageStatus.COMPLETED, 1, 20, 20)
    assert record.files.keys() == {"mp4", "webp", "png", "thumbnail"}
    assert record.artifact is not None
    assert isinstance(unpack_output(job_queue.artifacts.get(record.artifact)), Clip)
    assert job_queue.waiting.count(NEXT_QUEUE) == 1
    assert stage.inputs[0].spec == job.spec(FIRST)
    assert stage.inputs[0].previous is None
    assert held_leases(task) == 0
    task.run()  # nothing waits


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("the device is gone"), TimeLimitExceeded("x"), ArtifactLost("x"), WorkerStopping("x")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_worker_meets_that_was_frozen_says_nothing_about_a_stage_that_another_has(
    error: Exception,
    finished: bool,
    job_queue: JobQueue,
    task_of: RunStage,
    connected: Servers,
    reconciler: Reconciler,
) -> None:
    job_id = submitted(job_queue)
    expected: list[Job] = []

    def freeze(_: StageInputs[Any]) -> Output:
        connected.redis.zadd(LEASES, {f"{job_id}/{QUEUE}": 1})
        reconciler.recover()
        assert job_queue.waiting.take((QUEUE,), "other-1") is not None
        job = job_queue.jobs.update(job_id, partial(start_stage, stage=FIRST, worker="other", now=1.0))
        if finished:
            job = job_queue.jobs.update(job_id, partial(complete_stage, stage=FIRST, output=OUTPUT, now=2.0))
        expected.append(job)
        raise error

    task = task_of(FakeStage(freeze))
    task.run()
    assert [stored_job(job_queue.jobs, job_id)] == expected
    assert held_leases(task) == (0 if finished else 1)


def test_a_stage_that_is_taken_again_does_not_run_again(
    job_queue: JobQueue, task_of: RunStage, connected: Servers
) -> None:
    """Its worker was lost when the output was stored and the record did not say so yet."""
    job_id, stage = submitted(job_queue), FakeStage(gray_clip)
    waiting = connected.redis.get(job_key(job_id))
    task_of(stage).run()
    connected.redis.set(job_key(job_id), waiting)
    connected.redis.delete(waiting_key(NEXT_QUEUE, "default"))
    job_queue.jobs.restore(job_id)
    task_of(stage).run()
    assert len(stage.inputs) == 1
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.COMPLETED
    assert job_queue.waiting.count(NEXT_QUEUE) == 1


def test_one_worker_runs_two_stages_and_hands_on_latents(job_queue: JobQueue, task_of: RunStage) -> None:
    job_id = submitted(job_queue)
    first, second = FakeStage(latents), FakeStage(gray_clip)
    task_of(first).run()
    task_of(second).run()
    job = stored_job(job_queue.jobs, job_id)
    assert [record.status for record in job.stages[:2]] == [StageStatus.COMPLETED] * 2
    previous = second.inputs[0].previous
    assert isinstance(previous, Latents)
    assert previous.autoencoder == "small-autoencoder"
    assert job.stage(FIRST).files.keys() == {"mp4", "webp", "png", "thumbnail"}
    assert (first.encoder.calls, second.encoder.calls) == (
        1,
        0,
    )  # they share the text encoder, and so its embeddings


def test_of_several_drafts_the_best_goes_on(
    job_queue: JobQueue, task_of: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scorer(_name: str) -> Callable[[Clip, str], tuple[float, ...]]:
        return lambda clip, _prompt: tuple(0.1 + 0.1 * (index == 1) for index in range(len(clip.frames)))

    monkeypatch.setattr("cascade.workers.stage_task.get_scorer", scorer)
    job_id = submitted(job_queue, best_of=3)
    task_of(FakeStage(latents)).run()
    job = stored_job(job_queue.jobs, job_id)
    record = job.stage(FIRST)
    assert (record.chosen, [draft.seed for draft in record.drafts], job.seed) == (1, [7, 8, 9], 8)
    assert record.artifact is not None
    assert record.artifact == record.drafts[1].artifact
    stored = unpack_output(job_queue.artifacts.get(record.artifact))
    assert isinstance(stored, Latents)
    assert stored.latents.shape == (1, 2, 4, 4, 4)


@pytest.mark.parametrize("error", [ValueError, TypeError, NotImplementedError, RuntimeError, OSError])
def test_an_error_of_a_library_is_tried_again(
    error: type[Exception], job_queue: JobQueue, task_of: RunStage, reconciler: Reconciler
) -> None:
    job_id = submitted(job_queue)
    job = run_until_over(task_of(FakeStage(failing(error("no kernel")))), job_id, reconciler)
    assert (job.stage(FIRST).status, job.stage(FIRST).attempts) == (StageStatus.COMPLETED, 2)


def test_an_error_of_a_library_fails_the_job_after_the_last_attempt(
    job_queue: JobQueue, task_of: RunStage, reconciler: Reconciler
) -> None:
    job_id = submitted(job_queue)
    job = run_until_over(task_of(FakeStage(failing(*[ValueError("no kernel")] * 9))), job_id, reconciler)
    assert job.failure is not None
    assert (job.status, job.failure.code, job.failure.stage) == (JobStatus.FAILED, "retries_exhausted", FIRST)
    assert job.failure.message == "ValueError: no kernel (after 3 attempts)"
    assert [letter.job_id for letter in job_queue.dead_letters.list()] == [job_id]


def test_an_error_of_ours_fails_the_job_at_once(
    job_queue: JobQueue, task_of: RunStage, reconciler: Reconciler
) -> None:
    job_id = submitted(job_queue)
    error = StageInputError("it needs 8 frames")
    job = run_until_over(task_of(FakeStage(failing(error))), job_id, reconciler)
    assert job.failure is not None
    assert (job.failure.code, job.failure.message) == ("stage_failed", "it needs 8 frames")
    assert job.stage(FIRST).attempts == 1


def test_a_stage_that_takes_too_long_fails(
    job_queue: JobQueue, task_of: RunStage, reconciler: Reconciler
) -> None:
    job_id = submitted(job_queue)
    task = task_of(FakeStage(gray_clip))
    task.time_limit_s = 0.0
    job = run_until_over(task, job_id, reconciler)
    assert job.failure is not None
    assert job.failure.code == "stage_failed"
    assert "CASCADE_STAGE_TIME_LIMIT_S" in job.failure.message


def test_a_worker_that_has_to_stop_hands_its_stage_back(
    job_queue: JobQueue, task_of: RunStage, reconciler: Reconciler
) -> None:
    job_id = submitted(job_queue)
    task = task_of(FakeStage(gray_clip))
    task.drain_by = time.monotonic() - 1
    task.run()
    record = stored_job(job_queue.jobs, job_id).stage(FIRST)
    assert (record.status, record.attempts, record.worker) == (StageStatus.QUEUED, 0, None)
    assert job_queue.waiting.count(QUEUE) == 1
    task.run()  # a worker that stops takes nothing
    assert job_queue.waiting.count(QUEUE) == 1


def test_cancelling_or_deleting_stops_the_stage_at_its_next_step(
    job_queue: JobQueue, task_of: RunStage, connected: Servers
) -> None:
    def end(change: Callable[[str], object]) -> MakeOutput:
        def make(inputs: StageInputs[Any]) -> Output:
            change(job_id)
            return gray_clip(inputs)

        return make

    job_id = submitted(job_queue)
    task_of(FakeStage(end(job_queue.cancel))).run()
    job = stored_job(job_queue.jobs, job_id)
    assert (job.status, job.stage(FIRST).step) == (JobStatus.CANCELLED, 10)
    assert job.stage(FIRST).status is StageStatus.CANCELLED
    assert job_queue.waiting.count(NEXT_QUEUE) == 0

    job_id = submitted(job_queue)
    task_of(FakeStage(end(job_queue.delete))).run()
    assert list(connected.redis.scan_iter(match=f"*{job_id}*")) == []


def test_a_lost_output_is_made_again_by_the_stage_that_made_it(
    job_queue: JobQueue, task_of: RunStage, connected: Servers
) -> None:
    job_id, stage = submitted(job_queue), FakeStage(gray_clip)
    task = task_of(stage)
    task.run()
    artifact = stored_job(job_queue.jobs, job_id).stage(FIRST).artifact
    assert artifact is not None
    connected.redis.delete(artifact_key(artifact.key))
    with pytest.raises(ArtifactLost):
        job_queue.artifacts.get(artifact)
    task.run()
    job = stored_job(job_queue.jobs, job_id)
    assert [record.status for record in job.stages[:2]] == [StageStatus.QUEUED, StageStatus.PENDING]
    task.run()
    task.run()
    assert stored_job(job_queue.jobs, job_id).stage(SECOND).status is StageStatus.COMPLETED
    assert len(stage.inputs) == 3


def test_a_lost_output_of_another_job_fails_this_one(
    job_queue: JobQueue, task_of: RunStage, connected: Servers
) -> None:
    source_id, task = submitted(job_queue), task_of(FakeStage(gray_clip))
    task.run()
    source = job_queue.cancel(source_id)
    job = job_queue.remix(source, JobRequest("shapes", "a blue square", 7), SECOND)
    assert job.stages[0].artifact is not None
    connected.redis.delete(artifact_key(job.stages[0].artifact.key))
    task.run()
    failure = stored_job(job_queue.jobs, job.id).failure
    assert failure is not None
    assert (failure.code, failure.stage) == ("artifact_lost", SECOND)


def test_a_motion_is_for_the_stages_that_take_one(
    job_queue: JobQueue, task_of: RunStage, connected: Servers
) -> None:
    adapter = {"down_blocks.0.temp_attentions.0.proj_in.weight": torch.ones(2, 2)}
    motion = Motions.of(connected).add("shapes", "zigzag", save(adapter))
    submitted(job_queue, motion=motion)
    first, second = FakeStage(gray_clip), FakeStage(gray_clip)
    task_of(first).run()
    task_of(second).run()
    tensors = first.inputs[0].motion
    assert tensors is not None
    assert torch.equal(tensors["down_blocks.0.temp_attentions.0.proj_in.weight"], torch.ones(2, 2))
    assert second.inputs[0].motion is None


def test_a_record_that_cannot_be_read_stops_the_stage_and_nothing_else(
    job_queue: JobQueue, task_of: RunStage, connected: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    job_id, stage = submitted(job_queue), FakeStage(gray_clip)
    connected.redis.set(job_key(job_id), b'{"version": 9}')
    task = task_of(stage)
    task.run()
    assert stage.inputs == []
    assert held_leases(task) == 0
    assert "of version 9" in caplog.text


def test_no_stage_changes_the_frames_that_it_hands_on(job_queue: JobQueue, task_of: RunStage) -> None:
    frames = torch.linspace(-1.2, 1.2, 2 * 3 * 16 * 16).reshape(1, 2, 3, 16, 16)
    submitted(job_queue)
    second = FakeStage(gray_clip)
    task_of(FakeStage(lambda _: Clip(frames, 8))).run()
    task_of(second).run()
    previous = second.inputs[0].previous
    assert isinstance(previous, Clip)
    assert torch.equal(previous.frames, frames)
