"""One gateway process for most tests of this floor, in front of the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from cascade.models.presets.table import get_preset
from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.cli.main import app as command_line
from cascade.service.gateway import create_app
from cascade.service.stack.embedded import Credentials, free_port
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import StageOutput
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, get_settings
from tests.conftest import wait_for_port

STAGES = get_preset("shapes").stage_names
RENDITIONS = (("mp4", "video/mp4"), ("webp", "image/webp"), ("png", "image/png"), ("thumbnail", "image/webp"))

StartGateway = Callable[..., str]
Invoke = Callable[..., Result]


@pytest.fixture(scope="session")
def start_gateway(servers: Credentials) -> Iterator[StartGateway]:
    """Starts gateway processes in front of the real servers; settings as variables without their prefix."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(log: Path | None = None, **settings: str) -> str:
        port = free_port()
        defaults = {
            "REDIS_URL": servers.redis_url,
            "S3_ENDPOINT_URL": servers.s3_endpoint_url,
            "S3_ACCESS_KEY": servers.s3_access_key,
            "S3_SECRET_KEY": servers.s3_secret_key,
            "S3_BUCKET": "test-gateway",
            "PORT": str(port),
        }
        env = {f"CASCADE_{name}": value for name, value in (defaults | settings).items()}
        command = [sys.executable, "-m", "cascade", "gateway"]
        with (log or Path(os.devnull)).open("wb") as stderr:
            process = subprocess.Popen(command, env=os.environ | env, stderr=stderr if log else None)
        processes.append(process)
        wait_for_port(port, process)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


@pytest.fixture(scope="session")
def gateway_url(start_gateway: StartGateway) -> str:
    """One gateway process for most tests of this floor."""
    return start_gateway()


@pytest.fixture(scope="session")
def guarded_url(start_gateway: StartGateway) -> str:
    """A gateway that asks for keys."""
    return start_gateway(AUTH="on")


@pytest.fixture
def connected(settings: Settings) -> Iterator[Servers]:
    """The servers of the gateway's process, emptied."""
    connected = Servers.connect(settings.model_copy(update={"s3_bucket": "test-gateway"}))
    connected.objects.ensure_bucket()
    yield connected
    connected.redis.close()
    connected.celery.close()


@pytest.fixture
def app_with(connected: Servers) -> Iterator[Callable[..., TestClient]]:
    """Clients of gateways in this process, for tests of settings; they speak as from loopback, and redirects are not followed."""
    with ExitStack() as clients:

        def start(**changes: object) -> TestClient:
            app = create_app(connected.settings.model_copy(update=changes))
            clients.callback(app.state.servers.redis.close)
            client = TestClient(
                app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50_000), follow_redirects=False
            )
            return clients.enter_context(client)

        yield start


@pytest.fixture
def job_queue(connected: Servers) -> JobQueue:
    """The queue that the gateway puts jobs into, as workers see it."""
    return JobQueue.of(connected)


@pytest.fixture
def api_keys(connected: Servers) -> ApiKeys:
    return ApiKeys(connected.redis)


@pytest.fixture
def as_key(guarded_url: str, api_keys: ApiKeys) -> Iterator[Callable[..., httpx.Client]]:
    """A client with a new key of a project."""
    with ExitStack() as clients:

        def client(project: str, *scopes: Scope, url: str = guarded_url) -> httpx.Client:
            _, token = api_keys.create("test", project, scopes or (Scope.GENERATE, Scope.READ))
            headers = {"Authorization": f"Bearer {token}"}
            return clients.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))

        yield client


@pytest.fixture
def client(gateway_url: str, connected: Servers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway_url, timeout=60) as client:
        yield client


@pytest.fixture
def finish(job_queue: JobQueue) -> Callable[..., None]:
    """Moves a job along as workers would; the content of each file is its kind and its stage."""
    jobs, artifacts = job_queue.jobs, job_queue.artifacts

    def finish_stages(job_id: str, *stages: str) -> None:
        for stage in stages or STAGES:
            prefix = f"jobs/{job_id}/{stage}/clip"
            output = StageOutput(
                artifacts.put_tensors(job_id, f"{prefix}.safetensors", f"tensors {stage}".encode()),
                {
                    kind: artifacts.put_file(f"{prefix}-{kind}", f"{kind} {stage}".encode(), media_type)
                    for kind, media_type in RENDITIONS
                },
                1.5,
                1000,
            )
            start = partial(transitions.start_stage, stage=stage, worker="worker-1", now=time.time())
            complete = partial(transitions.complete_stage, stage=stage, output=output, now=time.time())
            jobs.update(job_id, start)
            jobs.update(job_id, complete)

    return finish_stages


@pytest.fixture
def later(connected: Servers) -> Iterator[Callable[..., None]]:
    """Calls a function with arguments after some seconds, in a thread that ends before the test does."""
    timers: list[threading.Timer] = []

    def start(seconds: float, function: Callable[..., None], *args: str) -> None:
        timers.append(threading.Timer(seconds, function, args))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.join()


@pytest.fixture
def cascade() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of the command line, with environment variables as keyword arguments."""

    def run(*args: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cascade", *args],
            env=os.environ | {"COLUMNS": "200"} | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            cwd=cwd,
        )

    return run


@pytest.fixture
def invoke() -> Iterator[Invoke]:
    """Runs a command of the command line in this process, on 80 columns: an answer in milliseconds."""

    def run(*args: str, **env: str) -> Result:
        get_settings.cache_clear()
        return CliRunner().invoke(command_line, args, env=env)

    yield run
    get_settings.cache_clear()
