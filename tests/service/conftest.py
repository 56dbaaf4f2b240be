"""One gateway process for all tests of this floor, in front of the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from cascade.models.presets.table import StageKind
from cascade.service.access.api_keys import Scope
from cascade.service.stack.embedded import Credentials, free_port
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import StageOutput, complete_stage, start_stage
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import MP4, PNG, WEBP

Finish = Callable[..., None]
StartGateway = Callable[..., str]


@pytest.fixture(scope="session")
def start_gateway(servers: Credentials) -> Iterator[StartGateway]:
    """Starts gateway processes in front of the real servers; settings as variables without their prefix."""
    processes = []

    def start(log: Path | None = None, **settings: str) -> str:
        port = free_port()
        given = {
            "REDIS_URL": servers.redis_url,
            "S3_ENDPOINT_URL": servers.s3_endpoint_url,
            "S3_ACCESS_KEY": servers.s3_access_key,
            "S3_SECRET_KEY": servers.s3_secret_key,
            "S3_BUCKET": "test-gateway",
            "PORT": str(port),
        }
        env = {f"CASCADE_{name}": value for name, value in (given | settings).items()}
        command = [sys.executable, "-m", "cascade", "gateway"]
        stderr = None if log is None else log.open("wb")
        processes.append(subprocess.Popen(command, env=os.environ | env, stderr=stderr))
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            client.get(f"{url}/healthz").raise_for_status()
        return url

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def gateway_url(start_gateway: StartGateway) -> str:
    """One gateway process for most tests of this floor."""
    return start_gateway()


@pytest.fixture(scope="session")
def guarded_url(start_gateway: StartGateway) -> str:
    """A gateway that asks for keys."""
    return start_gateway(AUTH="on")


@pytest.fixture
def as_key(guarded_url: str, conveyor: Conveyor) -> Callable[..., httpx.Client]:
    """A client with a new key of a project."""

    def client(project: str, *scopes: Scope, url: str = guarded_url) -> httpx.Client:
        _, token = conveyor.api_keys.create("test", project, scopes or (Scope.GENERATE, Scope.READ))
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})

    return client


@pytest.fixture
def conveyor(settings: Settings) -> Conveyor:
    """The test's own hand on the conveyor of the gateway's process."""
    conveyor = Conveyor.connect(settings.model_copy(update={"s3_bucket": "test-gateway"}))
    conveyor.objects.ensure_bucket()
    return conveyor


@pytest.fixture
def client(gateway_url: str, conveyor: Conveyor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway_url) as client:
        yield client


@pytest.fixture
def finish(conveyor: Conveyor) -> Finish:
    """Moves a job along as workers would, each stage's files holding their own names."""

    def finish_stages(job_id: str, *kinds: StageKind) -> None:
        for kind in kinds or tuple(StageKind):
            prefix = f"jobs/{job_id}/{kind}/clip"
            output = StageOutput(
                conveyor.artifacts.put_tensors(job_id, f"{prefix}.safetensors", f"tensors {kind}".encode()),
                {
                    name: conveyor.artifacts.put_file(
                        f"{prefix}-{name}", f"{name} {kind}".encode(), media_type
                    )
                    for name, media_type in (("mp4", MP4), ("webp", WEBP), ("png", PNG), ("thumbnail", WEBP))
                },
                1.5,
                1000,
            )
            conveyor.jobs.update(job_id, partial(start_stage, kind=kind, worker="worker-1", now=time.time()))
            conveyor.jobs.update(job_id, partial(complete_stage, kind=kind, output=output, now=time.time()))

    return finish_stages
