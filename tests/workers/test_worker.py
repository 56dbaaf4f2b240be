"""Worker processes: which stages they load, and that one process serves two queues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cascade.models.errors import CheckpointError
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.presets.table import get_preset
from cascade.workers.errors import UnknownQueue
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest, JobStatus
from cascade.workers.queue.heartbeat import live_workers
from cascade.workers.settings import Settings
from cascade.workers.worker import LoadedStages, run_worker
from tests.workers.examples import stored_job
from tests.workers.fake_stage import FakeStage, gray_clip

QUEUES = ("shapes.keyframes", "shapes.interpolation")


@pytest.fixture
def loaded_specs(monkeypatch: pytest.MonkeyPatch) -> list[AnyStageSpec]:
    """The specs of the stages that a worker loads, in order."""
    specs: list[AnyStageSpec] = []

    def load_stage(spec: AnyStageSpec, *_: object) -> FakeStage:
        specs.append(spec)
        return FakeStage(gray_clip)

    monkeypatch.setattr("cascade.workers.worker.load_stage", load_stage)
    return specs


def test_a_worker_loads_the_stages_of_its_queues_and_no_others(loaded_specs: list[AnyStageSpec]) -> None:
    stages = LoadedStages(("show-1.keyframes", "shapes.interpolation"), Settings(presets=("shapes",)))
    specs = [get_preset("show-1").stage("keyframes"), get_preset("shapes").stage("interpolation")]
    assert loaded_specs == specs
    stages.get("show-1.keyframes", replace(specs[0], steps=3, guidance_scale=2.0))
    assert len(loaded_specs) == 2


def test_a_job_that_was_planned_with_other_networks_gets_those(loaded_specs: list[AnyStageSpec]) -> None:
    stages = LoadedStages(QUEUES[:1], Settings())
    spec = replace(get_preset("shapes").stages[0], checkpoint="shapes/earlier-keyframes")
    earlier, _ = stages.get(QUEUES[0], spec)
    assert loaded_specs[-1].checkpoint == "shapes/earlier-keyframes"
    assert stages.get(QUEUES[0], spec)[0] is earlier
    assert stages.get(QUEUES[0], get_preset("shapes").stages[0])[0] is not earlier


def test_networks_that_cannot_be_loaded_harm_no_later_job(
    loaded_specs: list[AnyStageSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = LoadedStages(QUEUES[:1], Settings())
    spec = get_preset("shapes").stages[0]
    with monkeypatch.context() as patch:
        patch.setattr("cascade.workers.worker.load_stage", missing)
        with pytest.raises(CheckpointError):
            stages.get(QUEUES[0], replace(spec, checkpoint="shapes/earlier-keyframes"))
    stages.get(QUEUES[0], spec)
    assert loaded_specs == [spec, spec]


def missing(spec: AnyStageSpec, *_: object) -> None:
    raise CheckpointError(spec.checkpoint)


@pytest.mark.parametrize("queues", [(), ("keyframes",), ("shapes.keyframes", "shapes.decoding")])
def test_an_unknown_queue_is_refused_before_anything_is_loaded(
    queues: tuple[str, ...], loaded_specs: list[AnyStageSpec], settings: Settings
) -> None:
    with pytest.raises(UnknownQueue, match=r"choose from shapes\.keyframes"):
        run_worker(queues, settings)
    assert loaded_specs == []


@pytest.fixture
def start_worker(
    settings: Settings, shapes_checkpoints: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts worker processes with untrained networks."""
    assert settings.s3_access_key is not None
    assert settings.s3_secret_key is not None
    env = os.environ | {
        "CASCADE_REDIS_URL": settings.redis_url.get_secret_value(),
        "CASCADE_S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
        "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "CASCADE_S3_BUCKET": settings.s3_bucket,
        "CASCADE_CHECKPOINTS_DIR": str(shapes_checkpoints),
    }
    processes = []

    def start(*queues: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "cascade.workers.worker", *queues], env=env)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait(10)


@pytest.mark.slow
def test_one_worker_serves_two_queues(
    job_queue: JobQueue, start_worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    worker = start_worker(*QUEUES)
    steps = {"keyframes": 2, "interpolation": 1}
    request = JobRequest("shapes", "a red circle", 7, steps=steps, stop_after="interpolation")
    job_id = job_queue.submit(request).id
    deadline = time.monotonic() + 120
    while not (job := stored_job(job_queue.jobs, job_id)).status.final:
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (job.status, job.failure) == (JobStatus.COMPLETED, None)
    (live,) = live_workers(job_queue.jobs.redis)
    assert live.queues == QUEUES
    assert {stage.worker for stage in job.stages[:2]} == {live.name}
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert live_workers(job_queue.jobs.redis) == []
