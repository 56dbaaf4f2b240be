"""Real servers for all tests, started once: Redis and S3 over sockets."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from cascade.service.stack.embedded import (
    Credentials,
    Program,
    accepts_connections,
    credentials_of,
    redis_program,
    s3_program,
)
from cascade.workers.job_queue import JobQueue
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

if "PYTEST_XDIST_WORKER" in os.environ:  # the processes of `make test` share the cores between them
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def run_server(program: Program, port: int) -> subprocess.Popen[bytes]:
    """Start a server and wait until it accepts connections."""
    process = subprocess.Popen(program.argv, env=os.environ | program.env, stdout=subprocess.DEVNULL)
    wait_for_port(port, process)
    return process


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process that was just started accepts connections."""
    deadline = time.monotonic() + 120
    while not accepts_connections(port):
        assert process.poll() is None and time.monotonic() < deadline, f"{process.args!r} did not start"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credentials]:
    """Embedded servers for all tests, and what is needed to connect to them."""
    folder = tmp_path_factory.mktemp("servers")
    credentials = credentials_of(folder)
    processes = [
        run_server(redis_program(credentials, folder), credentials.redis_port),
        run_server(s3_program(credentials, folder), credentials.s3_port),
    ]
    yield credentials
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


@pytest.fixture
def settings(servers: Credentials) -> Settings:
    """Settings that lead to an empty Redis and a new bucket."""
    Redis.from_url(servers.redis_url).flushall()
    return Settings(
        redis_url=servers.redis_url,
        s3_endpoint_url=servers.s3_endpoint_url,
        s3_access_key=servers.s3_access_key,
        s3_secret_key=servers.s3_secret_key,
        s3_bucket=f"test-{secrets.token_hex(6)}",
        port=0,
    )


@pytest.fixture
def connected(settings: Settings) -> Servers:
    """Connections to the empty servers."""
    connected = Servers.connect(settings)
    connected.objects.ensure_bucket()
    return connected


@pytest.fixture
def job_queue(connected: Servers) -> JobQueue:
    return JobQueue.of(connected)


@pytest.fixture(scope="session")
def shapes_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained `shapes` cascade."""
    from cascade.models.families.shapes.random_checkpoints import create_random_shapes

    folder = tmp_path_factory.mktemp("checkpoints")
    create_random_shapes(folder)
    return folder
