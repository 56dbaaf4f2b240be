"""Servers of ours that are away while stages run: jobs wait for them, and pay nothing."""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from pydantic import SecretStr
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from cascade.models.clip import Output
from cascade.models.stage import StageInputs
from cascade.service.stack.embedded import Credentials, Program, credentials_of, redis_program, s3_program
from cascade.workers.errors import ArtifactLost, QueueFull
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest, JobStatus, StageStatus
from cascade.workers.keys import LEASES
from cascade.workers.outages import outage
from cascade.workers.queue.heartbeat import Heartbeat, live_workers
from cascade.workers.reconciler import Reconciler
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.stage_task import StageTask
from tests.conftest import run_server
from tests.workers.examples import FIRST, QUEUE, REQUEST, stored_job
from tests.workers.fake_stage import FakeStage, gray_clip, loads


@dataclass
class OwnServer:
    """A server of this test alone, which may be away."""

    program: Program
    port: int
    process: subprocess.Popen[bytes] = field(init=False)
    _comeback: threading.Timer = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def start(self) -> None:
        self.process = run_server(self.program, self.port)

    def go_away_for(self, seconds: float) -> None:
        """Stop the server now, and start it again later."""
        self.stop()
        self._comeback = threading.Timer(seconds, self.start)
        self._comeback.start()

    def wait(self) -> None:
        """Wait until the server is back."""
        self._comeback.join()


def steady_port() -> int:
    """A free port that no outgoing connection is given while its server is away."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Credentials, OwnServer, OwnServer]]:
    folder = tmp_path_factory.mktemp("own")
    credentials = replace(credentials_of(folder), redis_port=steady_port(), s3_port=steady_port())
    redis = OwnServer(redis_program(credentials, folder), credentials.redis_port)
    objects = OwnServer(s3_program(credentials, folder), credentials.s3_port)
    yield credentials, redis, objects
    redis.stop()
    objects.stop()


@pytest.fixture
def redis_server(own: tuple[Credentials, OwnServer, OwnServer]) -> OwnServer:
    return own[1]


@pytest.fixture
def s3_server(own: tuple[Credentials, OwnServer, OwnServer]) -> OwnServer:
    return own[2]


@pytest.fixture
def settings(settings: Settings, own: tuple[Credentials, OwnServer, OwnServer]) -> Settings:
    credentials = own[0]
    changes = {
        "redis_url": SecretStr(credentials.redis_url),
        "s3_endpoint_url": credentials.s3_endpoint_url,
        "s3_access_key": SecretStr(credentials.s3_access_key),
        "s3_secret_key": SecretStr(credentials.s3_secret_key),
        "inline_artifact_max_bytes": 0,
    }
    return settings.model_copy(update=changes)


def task_that(connected: Servers, make: Callable[[], object]) -> tuple[StageTask, FakeStage]:
    """The task of a worker, whose stage does something between its two steps."""

    def act(inputs: StageInputs[Any]) -> Output:
        make()
        return gray_clip(inputs)

    stage = FakeStage(act)
    return StageTask.of(connected, Heartbeat(connected.redis, (QUEUE,)), loads(stage)), stage


@pytest.mark.parametrize("name", ["redis_server", "s3_server"])
def test_a_server_that_is_away_costs_no_try_and_no_clip(
    name: str, request: pytest.FixtureRequest, connected: Servers, job_queue: JobQueue
) -> None:
    server: OwnServer = request.getfixturevalue(name)
    job_id = job_queue.submit(REQUEST).id
    task, stage = task_that(connected, lambda: server.go_away_for(3.0))
    task.run()
    server.wait()
    job = stored_job(job_queue.jobs, job_id)
    record = job.stage(FIRST)
    assert (record.status, record.attempts, len(stage.inputs)) == (StageStatus.COMPLETED, 1, 1)
    assert (record.waiting_for, record.waiting_since) == (None, None)
    assert record.preview is not None
    assert job_queue.artifacts.get(record.preview)[4:8] == b"ftyp"


def test_a_worker_that_redis_leaves_between_a_wake_up_and_its_stage_loses_nothing(
    connected: Servers, job_queue: JobQueue, redis_server: OwnServer
) -> None:
    job_id = job_queue.submit(REQUEST).id
    task, _ = task_that(connected, lambda: None)
    redis_server.stop()
    task.run()
    redis_server.start()
    task.run()
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.COMPLETED


def test_the_record_says_what_a_stage_waits_for_and_cancelling_ends_the_wait(
    connected: Servers, job_queue: JobQueue, s3_server: OwnServer
) -> None:
    job_id = job_queue.submit(REQUEST).id
    task, _ = task_that(connected, s3_server.stop)
    thread = threading.Thread(target=task.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while (record := stored_job(job_queue.jobs, job_id).stage(FIRST)).waiting_for is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (record.status, record.waiting_for) == (StageStatus.IN_PROGRESS, "the object store")
    assert record.waiting_since is not None
    job_queue.cancel(job_id)
    thread.join(60)
    assert not thread.is_alive()
    s3_server.start()
    assert stored_job(job_queue.jobs, job_id).status is JobStatus.CANCELLED


def test_a_job_does_not_wait_for_ever(connected: Servers, job_queue: JobQueue, s3_server: OwnServer) -> None:
    job_id = job_queue.submit(REQUEST).id
    task, _ = task_that(connected, s3_server.stop)
    task.outage_limit_s = 0.0
    task.run()
    s3_server.start()
    failure = stored_job(job_queue.jobs, job_id).failure
    assert failure is not None
    assert "the object store was away for longer than CASCADE_OUTAGE_LIMIT_H" in failure.message


def test_a_full_disk_costs_no_try_and_the_record_says_so(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = job_queue.submit(REQUEST).id
    faults = [OSError(errno.ENOSPC, "No space left on device")] * 2

    def use_disk() -> None:
        if faults:
            raise faults.pop()

    def time_passes() -> None:
        connected.redis.zadd(LEASES, {f"{job_id}/{QUEUE}": 1})
        reconciler.recover()

    task, _ = task_that(connected, use_disk)
    waiting_since = set()
    for _ in range(2):
        task.run()
        record = stored_job(job_queue.jobs, job_id).stage(FIRST)
        assert (record.status, record.attempts, record.waiting_for) == (StageStatus.QUEUED, 0, "disk space")
        assert record.retry_at is not None
        waiting_since.add(record.waiting_since)
        time_passes()
    assert len(waiting_since) == 1
    task.run()
    record = stored_job(job_queue.jobs, job_id).stage(FIRST)
    assert (record.status, record.attempts, record.waiting_for) == (StageStatus.COMPLETED, 1, None)


def test_a_job_does_not_wait_for_ever_for_disk_space(connected: Servers, job_queue: JobQueue) -> None:
    def use_disk() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    job_id = job_queue.submit(REQUEST).id
    task, _ = task_that(connected, use_disk)
    task.outage_limit_s = -1.0
    task.run()
    failure = stored_job(job_queue.jobs, job_id).failure
    assert failure is not None
    assert "disk space was away for longer than CASCADE_OUTAGE_LIMIT_H" in failure.message


def test_a_full_redis_ends_no_job_and_keeps_nobody_from_ending_one(
    connected: Servers, job_queue: JobQueue
) -> None:
    redis = connected.redis
    runs, cancelled, deleted = (job_queue.submit(REQUEST).id for _ in range(3))
    memory_back = threading.Timer(2.0, lambda: redis.config_set("maxmemory", 0))

    def fill() -> None:
        redis.config_set("maxmemory", 1)
        memory_back.start()

    task, stage = task_that(connected, fill)
    thread = threading.Thread(target=task.run, daemon=True)
    thread.start()
    while redis.config_get("maxmemory")["maxmemory"] == "0":
        time.sleep(0.01)
    assert job_queue.cancel(cancelled).status is JobStatus.CANCELLED
    job_queue.delete(deleted)
    with pytest.raises(OutOfMemoryError):
        job_queue.submit(REQUEST)
    thread.join(60)
    memory_back.join()
    record = stored_job(job_queue.jobs, runs).stage(FIRST)
    assert (record.status, record.attempts, len(stage.inputs)) == (StageStatus.COMPLETED, 1, 1)
    assert job_queue.jobs.get(deleted) is None


def test_a_redis_that_takes_no_writes_costs_no_try(connected: Servers, job_queue: JobQueue) -> None:
    redis, job_id = connected.redis, job_queue.submit(REQUEST).id
    writes_back = threading.Timer(1.0, lambda: redis.config_set("min-replicas-to-write", 0))

    def refuse_writes() -> None:
        redis.config_set("min-replicas-to-write", 1)
        writes_back.start()

    task, stage = task_that(connected, refuse_writes)
    task.run()
    writes_back.join()
    record = stored_job(job_queue.jobs, job_id).stage(FIRST)
    assert (record.status, record.attempts, len(stage.inputs)) == (StageStatus.COMPLETED, 1, 1)


def test_deleting_while_the_object_store_is_away_is_done_later(
    connected: Servers, job_queue: JobQueue, s3_server: OwnServer
) -> None:
    job_id = job_queue.submit(REQUEST).id
    s3_server.stop()
    job_queue.delete(job_id)
    s3_server.start()
    assert job_queue.jobs.get(job_id) is None
    assert connected.redis.zscore("cascade:due:objects", job_id) is not None


def client_error(status: int, code: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RedisError("other"), None),
        (OutOfMemoryError("OOM"), "Redis"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "Redis"),
        (ResponseError("BUSY Redis is busy running a script"), "Redis"),
        (MasterDownError("Link with MASTER is down"), "Redis"),
        (ClusterDownError("The cluster is down"), "Redis"),
        (TryAgainError("Multiple keys request"), "Redis"),
        (ResponseError("WRONGTYPE Operation"), None),
        (EndpointConnectionError(endpoint_url="http://x"), "the object store"),
        (client_error(500, "InternalError"), "the object store"),
        (client_error(503, "SlowDown"), "the object store"),
        (client_error(403, "AccessDenied"), "the object store"),
        (client_error(404, "NoSuchBucket"), "the object store"),
        (client_error(400, "ExpiredToken"), "the object store"),
        (client_error(404, "404"), "the object store"),
        (client_error(400, "EntityTooLarge"), None),
        (ResponseParserError("a page of a proxy"), "the object store"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk space"),
        (OSError(errno.ENOENT, "No such file"), None),
        (ArtifactLost("gone"), None),
        (QueueFull("full"), None),
        (ValueError("no kernel"), None),
    ],
)
def test_what_counts_as_an_outage_of_ours(error: Exception, what: str | None) -> None:
    assert outage(error) == what


@pytest.mark.slow
def test_a_worker_goes_on_after_redis_was_away_for_long(
    settings: Settings, job_queue: JobQueue, redis_server: OwnServer, shapes_checkpoints: Path
) -> None:
    """And it drops messages that are none."""
    assert settings.s3_access_key is not None
    assert settings.s3_secret_key is not None
    env = {
        "CASCADE_REDIS_URL": settings.redis_url.get_secret_value(),
        "CASCADE_S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
        "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "CASCADE_S3_BUCKET": settings.s3_bucket,
        "CASCADE_CHECKPOINTS_DIR": str(shapes_checkpoints),
        "CASCADE_LEASE_S": "5",
    }

    def submit(steps: int) -> str:
        request = JobRequest("shapes", "a red circle", 7, steps={FIRST: steps}, stop_after=FIRST)
        return job_queue.submit(request).id

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    redis = job_queue.jobs.redis
    command = [sys.executable, "-m", "cascade.workers.worker", QUEUE]
    with subprocess.Popen(command, env=os.environ | env) as worker:
        try:
            for message in (
                "no JSON",
                "[1, 2]",
                '{"body": "x"}',
                '{"body": "!", "headers": {}, "properties": {}}',
                b"\xff",
            ):
                redis.lpush(QUEUE, message)
            first = submit(6)
            wait(lambda: stored_job(job_queue.jobs, first).stage(FIRST).step > 0)
            redis_server.go_away_for(12.0)
            redis_server.wait()
            wait(lambda: stored_job(job_queue.jobs, first).status.final)
            second = submit(2)
            wait(lambda: stored_job(job_queue.jobs, second).status.final)
            for job_id in (first, second):
                job = stored_job(job_queue.jobs, job_id)
                assert (job.status, job.stage(FIRST).attempts) == (JobStatus.COMPLETED, 1)
            assert [live.pid for live in live_workers(redis)] == [worker.pid]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0
        finally:
            worker.kill()
