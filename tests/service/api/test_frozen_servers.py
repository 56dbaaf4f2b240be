"""Servers that are frozen: they take connections and answer nothing."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from cascade.service.stack.embedded import credentials_of, redis_program, s3_program
from tests.conftest import run_server
from tests.service.conftest import StartGateway

THREADS = 40  # of the gateway, for routes that wait for a server


@contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class Deployment:
    """A gateway in front of servers of its own."""

    def __init__(self, url: str, redis: subprocess.Popen[bytes], s3: subprocess.Popen[bytes]) -> None:
        self.client = httpx.Client(base_url=url, timeout=30, limits=httpx.Limits(max_connections=None))
        self.redis, self.s3 = redis, s3

    def get(self, path: str) -> tuple[httpx.Response, float]:
        """Return the answer and the seconds that it took."""
        started = time.monotonic()
        answer = self.client.get(path)
        return answer, time.monotonic() - started

    def checks(self, answer: httpx.Response) -> dict[str, bool]:
        return {check["name"]: check["ok"] for check in answer.json()["checks"][:2]}


@pytest.fixture(scope="module")
def deployment(start_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("own-servers")
    credentials = credentials_of(folder)
    redis = run_server(redis_program(credentials, folder), credentials.redis_port)
    s3 = run_server(s3_program(credentials, folder), credentials.s3_port)
    url = start_gateway(
        REDIS_URL=credentials.redis_url,
        S3_ENDPOINT_URL=credentials.s3_endpoint_url,
        S3_ACCESS_KEY=credentials.s3_access_key,
        S3_SECRET_KEY=credentials.s3_secret_key,
    )
    deployment = Deployment(url, redis, s3)
    yield deployment
    deployment.client.close()
    for process in (redis, s3):
        process.terminate()
        process.wait(10)


def test_a_frozen_redis_is_named_within_5_s_while_all_threads_wait_for_it(deployment: Deployment) -> None:
    with frozen(deployment.redis), ThreadPoolExecutor(2 * THREADS) as clients:
        probes = [clients.submit(deployment.get, "/readyz") for _ in range(THREADS)]
        lists = [clients.submit(deployment.get, "/v1/videos") for _ in range(THREADS)]
        time.sleep(0.3)  # all of them wait now
        alive, seconds = deployment.get("/healthz")
        assert (alive.status_code, seconds < 3) == (200, True), seconds
        for answer, seconds in (probe.result() for probe in probes):
            assert seconds < 5
            assert answer.status_code == 503
            assert deployment.checks(answer) == {"redis": False, "s3": True}
        for answer, seconds in (listing.result() for listing in lists):
            assert seconds < 20
            assert answer.status_code == 503
            assert "queue" in answer.json()["detail"]
    assert deployment.get("/v1/videos")[0].status_code == 200
    assert deployment.checks(deployment.get("/readyz")[0]) == {"redis": True, "s3": True}


def test_a_frozen_object_store_is_named_within_5_s(deployment: Deployment) -> None:
    with frozen(deployment.s3):
        answer, seconds = deployment.get("/readyz")
        assert seconds < 5
        assert deployment.checks(answer) == {"redis": True, "s3": False}
        assert deployment.get("/v1/videos")[0].status_code == 200
    assert deployment.checks(deployment.get("/readyz")[0]) == {"redis": True, "s3": True}
