"""Previews of a running stage: they are there while it runs, and change, delay and fail nothing."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from PIL import Image, ImageSequence
from torch import Tensor

from cascade.models.clip import Clip, Latents, Output
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import draw_noise, sample_from_noise, seeded_generators
from cascade.models.stage import OnStep, StageInputs
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import StageStatus
from cascade.workers.keys import preview_key
from cascade.workers.previews import Preview, PreviewSender
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers
from cascade.workers.stage_task import StageTask
from cascade.workers.storage.serialization import unpack_output
from tests.workers.examples import FIRST, QUEUE, REQUEST, SECOND, stored_job
from tests.workers.fake_stage import FakeStage, gray_clip, loads

STEPS = 10
BeforeStep = Callable[[int], None]


def do_nothing(_step: int) -> None:
    pass


class SamplingStage(FakeStage):
    """Samples a clip of 4 frames, or latents, by a network that takes half of what it sees for the clean sample."""

    def __init__(self, before_step: BeforeStep = do_nothing, channels: int = 3) -> None:
        super().__init__(gray_clip)
        self.before_step, self.channels = before_step, channels

    def __call__(self, inputs: StageInputs[Any], on_step: OnStep) -> Output:
        generators, steps = seeded_generators(inputs.seeds), iter(range(1, STEPS + 1))

        def predict(sample: Tensor, _timestep: Tensor) -> Tensor:
            self.before_step(next(steps))
            return sample * 0.5

        noise = draw_noise((self.channels, 4, 16, 24), generators, torch.device("cpu"))
        report = PlannedSteps(on_step, STEPS).part(STEPS)
        scheduler = DDPMScheduler(prediction_type="sample", clip_sample=False)
        video = sample_from_noise(predict, noise, scheduler, STEPS, generators, report).transpose(1, 2)
        return Clip(video, 8) if self.channels == 3 else Latents(video, 8, "small-autoencoder")


@pytest.fixture
def task_of(connected: Servers) -> Callable[..., StageTask]:
    """Makes the task of a worker that shows a preview every so many steps."""

    def make(stage: FakeStage, preview_steps: int = 3) -> StageTask:
        settings = connected.settings.model_copy(update={"preview_steps": preview_steps})
        servers = Servers(settings, connected.redis, connected.objects, connected.celery)
        return StageTask.of(servers, Heartbeat(connected.redis, (QUEUE, f"shapes.{SECOND}")), loads(stage))

    return make


def waits_for_previews(servers: Servers, job_id: str, steps: tuple[int, ...]) -> tuple[BeforeStep, list[Any]]:
    """Make what lets a stage go on behind each of these steps once its preview is there, and where they are collected."""
    previews: list[Any] = []

    def wait(step: int) -> None:
        if step - 1 not in steps:
            return
        deadline = time.monotonic() + 10
        while not previews or previews[-1]["step"] != step - 1:
            assert time.monotonic() < deadline, f"there is no preview of step {step - 1}"
            stored = servers.redis.get(preview_key(job_id))
            if stored is not None and json.loads(stored) not in previews:
                previews.append(json.loads(stored))
            time.sleep(0.01)
        time.sleep(0.3)  # four previews a second at most

    return wait, previews


def frames_of(preview: dict[str, Any]) -> Image.Image:
    head, _, content = preview["image"].partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("channels", [3, 4], ids=["pixels", "latents"])
def test_previews_are_there_while_the_first_stage_runs_and_not_after_it(
    channels: int, job_queue: JobQueue, task_of: Callable[..., StageTask], connected: Servers
) -> None:
    job_id = job_queue.submit(REQUEST).id
    wait, previews = waits_for_previews(connected, job_id, (1, 3, 6, 9))
    task_of(SamplingStage(wait, channels)).run()
    assert [(preview["stage"], preview["step"], preview["steps"]) for preview in previews] == [
        (FIRST, step, STEPS) for step in (1, 3, 6, 9)
    ]
    picture = frames_of(previews[0])
    assert (len(ImageSequence.all_frames(picture)), picture.size) == (4, (24, 16))
    assert max(len(preview["image"]) for preview in previews) <= 20_100
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.COMPLETED
    assert connected.redis.get(preview_key(job_id)) is None


def test_the_frames_are_the_same_with_and_without_previews(
    job_queue: JobQueue, task_of: Callable[..., StageTask]
) -> None:
    clips = []
    for preview_steps in (0, 1):
        job_id = job_queue.submit(REQUEST).id
        task_of(SamplingStage(), preview_steps).run()
        artifact = stored_job(job_queue.jobs, job_id).stage(FIRST).artifact
        assert artifact is not None
        clip = unpack_output(job_queue.artifacts.get(artifact))
        assert isinstance(clip, Clip)
        clips.append(clip)
        job_queue.cancel(job_id)
    assert torch.equal(clips[0].frames, clips[1].frames)


def test_nothing_is_computed_where_nobody_wants_previews(
    job_queue: JobQueue, task_of: Callable[..., StageTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Clip:
        raise AssertionError("a preview is made")

    monkeypatch.setattr(SamplingStage, "show_sample", refuse)
    job_id = job_queue.submit(REQUEST).id
    task = task_of(SamplingStage(), 0)
    task.run()  # without previews
    later = task_of(SamplingStage(), 1)
    later.run()  # the second stage
    assert stored_job(job_queue.jobs, job_id).stage(SECOND).status is StageStatus.COMPLETED
    assert task.previews._thread is later.previews._thread is None


def test_a_preview_that_fails_fails_nothing(
    job_queue: JobQueue, task_of: Callable[..., StageTask], caplog: pytest.LogCaptureFixture
) -> None:
    class Shy(SamplingStage):
        def show_sample(self, sample: Tensor, fps: int) -> Clip:
            raise RuntimeError(f"nobody looks at {tuple(sample.shape)} at {fps} fps")

    job_id = job_queue.submit(REQUEST).id
    task_of(Shy()).run()
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.COMPLETED
    assert "nobody looks at (1, 3, 4, 16, 24)" in caplog.text


def test_a_stage_does_not_wait_for_its_previews(
    job_queue: JobQueue, task_of: Callable[..., StageTask], connected: Servers
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class SlowSender(PreviewSender):
        def send(self, preview: Preview) -> bool:
            begun.set()
            assert go_on.wait(20)
            sent.append(super().send(preview))
            return sent[-1]

    sent: list[bool] = []
    job_id = job_queue.submit(REQUEST).id
    task = task_of(SamplingStage(lambda step: None if step < 3 else assert_set(begun)), 1)
    task.previews = SlowSender(connected.redis)
    task.run()
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.COMPLETED
    go_on.set()
    deadline = time.monotonic() + 10
    while not sent:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sent[0] is False  # the stage has ended: nothing is left behind
    assert connected.redis.get(preview_key(job_id)) is None


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_a_preview_goes_with_its_job(
    end: str, job_queue: JobQueue, task_of: Callable[..., StageTask], connected: Servers
) -> None:
    job_id = job_queue.submit(REQUEST).id
    wait, previews = waits_for_previews(connected, job_id, (1,))

    def stop(step: int) -> None:
        wait(step)
        if step == 2:
            assert connected.redis.ttl(preview_key(job_id)) > 0
            getattr(job_queue, end)(job_id)

    task_of(SamplingStage(stop)).run()
    assert len(previews) == 1
    assert connected.redis.get(preview_key(job_id)) is None


def test_numbers_that_are_not_finite_are_not_shown(
    job_queue: JobQueue, task_of: Callable[..., StageTask]
) -> None:
    class Damaged(SamplingStage):
        def show_sample(self, sample: Tensor, fps: int) -> Clip:
            return super().show_sample(sample * float("nan"), fps)

    job_queue.submit(REQUEST)
    task = task_of(Damaged(), 1)
    task.run()
    assert task.previews._thread is None
