"""A real line with sleeping stages: Redis, the object store, Celery and worker processes as they are, only no networks.

    python benchmarks/sleeping_line.py < scenarios.json > runs.json

The servers are those that the CASCADE_ variables lead to. The files are lists of `Scenario` and of `Run` as JSON.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

if TYPE_CHECKING:  # presets are imported once the family is registered
    from cascade.workers.job_queue import JobQueue
    from cascade.workers.jobs.record import Job

START_S = 600.0
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Submission:
    """A job to submit, `at` seconds after the workers are ready."""

    at: float
    preset: str
    stop_after: str | None = None
    project: str = "default"


@dataclass(frozen=True)
class Kill:
    """A worker that is killed `at` seconds after the first submission, and started again `restart_s` later."""

    at: float
    worker: int
    restart_s: float


@dataclass(frozen=True)
class Scenario:
    """What is to happen.

    Attributes:
        presets: seconds of each stage.
        spread: of the times of a stage, as a share; that of the first scenario counts.
        workers: the queues of each worker process.
    """

    presets: dict[str, dict[str, float]]
    workers: list[tuple[str, ...]]
    submissions: list[Submission]
    spread: float = 0.0
    kills: list[Kill] = field(default_factory=list)


@dataclass(frozen=True)
class StageRun:
    """A stage of a job as its record has it; times in seconds after the first submission."""

    name: str
    worker: str
    attempts: int
    started_at: float
    finished_at: float


@dataclass(frozen=True)
class JobRun:
    """A job as its record has it."""

    preset: str
    project: str
    status: str
    created_at: float
    finished_at: float
    stages: tuple[StageRun, ...]


@dataclass(frozen=True)
class Run:
    """What happened.

    Attributes:
        handoff_s: the median time from when a stage waited and its worker was free, to its start.
    """

    jobs: list[JobRun]
    handoff_s: float


def run_all(scenarios: Sequence[Scenario]) -> list[Run]:
    """Run scenarios one after the other; presets of the same name must be the same."""
    import sleeping_family

    presets = {name: stages for scenario in scenarios for name, stages in scenario.presets.items()}
    sleeping_family.register(presets, scenarios[0].spread)
    import cascade.workers.worker  # noqa: F401 - once, for all processes that are forked

    return [_run(scenario) for scenario in scenarios]


def _run(scenario: Scenario) -> Run:
    """Start the workers, submit the jobs, and wait until all have ended."""
    workers = [_start(queues) for queues in scenario.workers]
    receiver, sender = FORK.Pipe(duplex=False)
    submitter = FORK.Process(target=_submit_all, args=(scenario, sender))
    submitter.start()
    try:
        receiver.recv()
        _kill_some(scenario, workers, time.monotonic())
        return TypeAdapter(Run).validate_python(receiver.recv())
    finally:
        for process in (*workers, submitter):
            process.terminate()
        for process in (*workers, submitter):
            process.join()


def run_scenarios(scenarios: Sequence[Scenario], env: Mapping[str, str]) -> list[Run]:
    """Run scenarios in a process of their own, with these CASCADE_ variables."""
    done = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CASCADE_LOG_LEVEL": "ERROR"} | dict(env),
        input=TypeAdapter(list[Scenario]).dump_json(list(scenarios)),
        stdout=subprocess.PIPE,
        check=True,
    )
    return TypeAdapter(list[Run]).validate_json(done.stdout)


@contextmanager
def embedded_servers(folder: Path) -> Iterator[dict[str, str]]:
    """Start Redis and the object store in a folder; yield the variables that lead to them."""
    from cascade.service.stack.embedded import accepts_connections, credentials_of, redis_program, s3_program

    own = credentials_of(folder)
    programs = {own.redis_port: redis_program(own, folder), own.s3_port: s3_program(own, folder)}
    processes = [
        subprocess.Popen(program.argv, env=os.environ | program.env, stdout=subprocess.DEVNULL)
        for program in programs.values()
    ]
    try:
        while not all(map(accepts_connections, programs)):
            time.sleep(0.1)
        yield {
            "CASCADE_REDIS_URL": own.redis_url,
            "CASCADE_S3_ENDPOINT_URL": own.s3_endpoint_url,
            "CASCADE_S3_ACCESS_KEY": own.s3_access_key,
            "CASCADE_S3_SECRET_KEY": own.s3_secret_key,
        }
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _start(queues: tuple[str, ...]) -> ForkProcess:
    process = FORK.Process(target=_work, args=(queues,))
    process.start()
    return process


def _work(queues: tuple[str, ...]) -> None:
    from cascade.workers.settings import get_settings
    from cascade.workers.worker import run_worker

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    run_worker(queues, get_settings())


def _kill_some(scenario: Scenario, workers: list[ForkProcess], began: float) -> None:
    """Kill workers, and start others in their place, at their times."""
    events = sorted(
        [(kill.at, kill.worker, False) for kill in scenario.kills]
        + [(kill.at + kill.restart_s, kill.worker, True) for kill in scenario.kills]
    )
    for at, worker, starts in events:
        time.sleep(max(began + at - time.monotonic(), 0))
        if starts:
            workers[worker] = _start(scenario.workers[worker])
        else:
            workers[worker].kill()
            workers[worker].join()


def _submit_all(scenario: Scenario, results: Connection) -> None:
    """Submit the jobs once the workers are ready; send a word when it begins, and the run when all have ended."""
    from cascade.workers.job_queue import JobQueue
    from cascade.workers.jobs.record import JobRequest
    from cascade.workers.queue.heartbeat import live_workers
    from cascade.workers.servers import Servers
    from cascade.workers.settings import get_settings

    servers = Servers.connect(get_settings())
    queue = JobQueue.of(servers)
    deadline = time.monotonic() + START_S
    while sum(worker.state == "ready" for worker in live_workers(servers.redis)) < len(scenario.workers):
        if time.monotonic() > deadline:
            raise TimeoutError("the workers did not start")
        time.sleep(0.1)
    results.send("begin")
    began = time.monotonic()
    ids = []
    for seed, submission in enumerate(sorted(scenario.submissions, key=lambda each: each.at)):
        time.sleep(max(began + submission.at - time.monotonic(), 0))
        request = JobRequest(submission.preset, "sleep", seed, stop_after=submission.stop_after)
        ids.append(queue.submit(request, submission.project).id)
    jobs = list(_ended(queue, ids))
    first = min(job.created_at for job in jobs)
    runs = [_job_run(job, first) for job in jobs]
    results.send(TypeAdapter(Run).dump_python(Run(runs, _handoff_s(runs))))


def _ended(queue: JobQueue, ids: list[str]) -> Iterator[Job]:
    for job_id in ids:
        while (job := queue.jobs.get(job_id)) is None or not job.status.final:
            time.sleep(0.1)
        yield job


def _job_run(job: Job, first: float) -> JobRun:
    stages = tuple(
        StageRun(
            stage.name,
            stage.worker or "",
            stage.attempts,
            stage.started_at - first,
            stage.finished_at - first,
        )
        for stage in job.stages
        if stage.started_at is not None and stage.finished_at is not None
    )
    assert job.finished_at is not None
    return JobRun(
        job.request.preset,
        job.project,
        job.status,
        job.created_at - first,
        job.finished_at - first,
        stages,
    )


def _handoff_s(jobs: list[JobRun]) -> float:
    """Return the median time from when a stage waited and its worker had ended the one before, to its start."""
    waits_since = {
        (index, position): job.stages[position - 1].finished_at if position else job.created_at
        for index, job in enumerate(jobs)
        for position in range(len(job.stages))
    }
    runs = sorted(
        (
            (stage, waits_since[index, position])
            for index, job in enumerate(jobs)
            for position, stage in enumerate(job.stages)
        ),
        key=lambda each: each[0].started_at,
    )
    free: dict[str, float] = {}
    gaps = []
    for stage, since in runs:
        gaps.append(stage.started_at - max(since, free.get(stage.worker, since)))
        free[stage.worker] = stage.finished_at
    return statistics.median(gaps)


if __name__ == "__main__":
    runs = run_all(TypeAdapter(list[Scenario]).validate_json(sys.stdin.read()))
    sys.stdout.write(TypeAdapter(list[Run]).dump_json(runs).decode() + "\n")
