"""One gateway process for all tests of this floor, in front of the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from models.presets import StageKind
from service.embedded import Credentials, free_port
from workers.artifacts import MP4, PNG, WEBP
from workers.conveyor import Conveyor
from workers.job import StageOutput, complete_stage, start_stage
from workers.settings import Settings

Finish = Callable[..., None]


@pytest.fixture(scope="session")
def gateway_url(servers: Credentials) -> Iterator[str]:
    """One gateway process for all tests of this file."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "gateway"],
        env=os.environ
        | {
            "CASCADE_REDIS_URL": servers.redis_url,
            "CASCADE_S3_ENDPOINT_URL": servers.s3_endpoint_url,
            "CASCADE_S3_ACCESS_KEY": servers.s3_access_key,
            "CASCADE_S3_SECRET_KEY": servers.s3_secret_key,
            "CASCADE_S3_BUCKET": "test-gateway",
            "CASCADE_PORT": str(port),
        },
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{url}/healthz").raise_for_status()
            break
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(10)


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
