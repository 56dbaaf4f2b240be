"""What the gateway costs: POST and GET of videos against a bare FastAPI route, lists and searches, and idle event listeners.

    python benchmarks/gateway.py [--seconds 8] [--listeners 1000] [--videos 5000]

Real Redis and S3 servers, gateway and bare app in processes of their own, the same clients for all, in one run.
Figures of different runs or machines are not comparable; ratios within a run are.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from cascade.service.stack.embedded import (
    LOOPBACK,
    Program,
    accepts_connections,
    credentials_of,
    free_port,
    redis_program,
    s3_program,
)
from cascade.workers.jobs.codec import dump_job
from cascade.workers.jobs.listing import entry_of
from cascade.workers.jobs.record import Artifact, Draft, Job, JobRequest, JobStatus, StageOutput
from cascade.workers.jobs.transitions import complete_stage, new_job, start_stage
from cascade.workers.keys import job_key, jobs_key, listing_key
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

console = Console()
CLIENTS = 8
LISTS = 20
PRESET = "shapes"
BODY = json.dumps({"prompt": "a red circle moving right on a gray background", "seed": 7}).encode()
HEADERS = {"Content-Type": "application/json"}
BARE_APP = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get("/v1/videos/{video_id}")
@app.post("/v1/videos")
def bare(video_id: str = "") -> dict[str, str]:
    return {"id": video_id}

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


@dataclass(frozen=True)
class Load:
    """A route under load: answers per second, and latencies in ms."""

    per_s: float
    p50_ms: float
    p99_ms: float


@contextmanager
def running_server(program: Program, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, which begins when it accepts connections."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(program.argv, env=os.environ | program.env, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + 60
    while not accepts_connections(port):
        assert process.poll() is None and time.monotonic() < deadline, program.argv
        time.sleep(0.05)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def load(port: int, method: str, path: str, seconds: float) -> Load:
    """Send requests from CLIENTS clients, each one after another, for so many seconds."""
    latencies: list[float] = []
    deadline = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port)
        while (started := time.perf_counter()) < deadline:
            connection.request(method, path, BODY if method == "POST" else None, HEADERS)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return Load(
        len(latencies) / seconds,
        1000 * latencies[len(latencies) // 2],
        1000 * latencies[int(0.99 * len(latencies))],
    )


async def with_listeners(port: int, video_id: str, count: int, measure: Callable[[], float]) -> float:
    """Hold `count` event streams open, each past its first event; return what `measure` returns meanwhile."""
    request = f"GET /v1/videos/{video_id}/events HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode()

    async def listen() -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        await reader.readuntil(b"video.queued")
        return writer

    writers = [await listen() for _ in range(count)]
    figure = await asyncio.to_thread(measure)
    for writer in writers:
        writer.close()
    return figure


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """Return the memory that a process occupies, in MiB."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_share(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Watch a process for so many seconds; return the part of a core that it used."""
    before = cpu_s(process)
    time.sleep(seconds)
    return (cpu_s(process) - before) / seconds


def add_finished_videos(redis_url: str, count: int) -> None:
    """Put finished videos of four drafts on record, every fiftieth a failed one; their files are named, and are not there."""
    servers = Servers.connect(Settings(redis_url=SecretStr(redis_url)))
    first = finished_job()
    with servers.redis.pipeline(transaction=False) as pipe:
        for number in range(count):
            status = JobStatus.COMPLETED if number % 50 else JobStatus.FAILED
            prompt = f"a {('red', 'blue')[number % 2]} circle number {number}"
            request = replace(first.request, prompt=prompt)
            job = replace(first, id=f"video_{number:032x}", created_at=number, status=status, request=request)
            pipe.set(job_key(job.id), dump_job(job))
            pipe.zadd(jobs_key(job.project), {job.id: job.created_at})
            pipe.hset(listing_key(job.project), job.id, entry_of(job))
            if number % 500 == 0:
                pipe.execute()
        pipe.execute()


def finished_job() -> Job:
    """Make a job whose stages are all done, the first one with four drafts."""
    job = new_job("video_x", JobRequest(PRESET, "a red circle", 7, best_of=4), 0)
    kinds = ("mp4", "webp", "png", "thumbnail")
    for stage in job.stage_names:
        files = {
            kind: Artifact("s3", f"jobs/{job.id}/{stage}/{'0' * 32}-{kind}", 10_000, "0" * 64, "video/mp4")
            for kind in kinds
        }
        drafts = tuple(Draft(7 + index, 0.5, files["mp4"], files) for index in range(4))
        choice = (drafts, 0) if stage == job.stage_names[0] else ((), None)
        output = StageOutput(files["mp4"], files, 1.0, 1000, *choice)
        job = complete_stage(start_stage(job, stage, "worker", 1), stage, output, 2)
    return job


def list_videos(gateway: subprocess.Popen[bytes], port: int, videos: int) -> None:
    """Print what lists and searches among so many videos take, one after another."""
    table = Table(f"of {videos} videos", "p50 ms", "ms of the gateway's processor")
    searches = {
        "100 finished with drafts": "limit=100&order=asc&status=completed",
        "20 newest": "limit=20",
        "20 failed": "status=failed",
        "20 with a word": "q=blue",
        "none with a word": "q=purple",
    }
    for name, query in searches.items():
        times, before = [], cpu_s(gateway)
        with httpx.Client(base_url=f"http://{LOOPBACK}:{port}") as client:
            client.get(f"/v1/videos?{query}")
            for _ in range(LISTS):
                started = time.perf_counter()
                client.get(f"/v1/videos?{query}").raise_for_status()
                times.append(time.perf_counter() - started)
        spent_s = (cpu_s(gateway) - before) / (LISTS + 1)
        table.add_row(name, f"{1000 * median(times):.1f}", f"{1000 * spent_s:.1f}")
    console.print(table)


def main() -> None:
    """Print the comparison under load, then what lists and idle listeners cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--videos", type=int, default=5000, help="finished ones on record, with drafts")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the gateway's process inherits it
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        credentials = credentials_of(Path(scratch))
        redis, s3 = (make(credentials, Path(scratch)) for make in (redis_program, s3_program))
        running.enter_context(running_server(redis, credentials.redis_port))
        running.enter_context(running_server(s3, credentials.s3_port))
        bare_port, port = free_port(), free_port()
        bare = Program((sys.executable, "-c", BARE_APP, str(bare_port)), {})
        settings = {
            "CASCADE_REDIS_URL": credentials.redis_url,
            "CASCADE_S3_ENDPOINT_URL": credentials.s3_endpoint_url,
            "CASCADE_S3_ACCESS_KEY": credentials.s3_access_key,
            "CASCADE_S3_SECRET_KEY": credentials.s3_secret_key,
            "CASCADE_PORT": str(port),
            "CASCADE_MAX_ACTIVE_JOBS": "1000000",
            "CASCADE_MAX_ACTIVE_JOBS_PER_PROJECT": "1000000",
        }
        running.enter_context(running_server(bare, bare_port))
        gateway = running.enter_context(
            running_server(Program((sys.executable, "-m", "cascade", "gateway"), settings), port)
        )
        with httpx.Client(base_url=f"http://{LOOPBACK}:{port}") as client:
            video_id = client.post("/v1/videos", content=BODY, headers=HEADERS).json()["id"]
        compare(bare_port, port, video_id, options.seconds)
        add_finished_videos(credentials.redis_url, options.videos)
        list_videos(gateway, port, options.videos)
        before = resident_mib(gateway)
        after = asyncio.run(with_listeners(port, video_id, options.listeners, lambda: resident_mib(gateway)))
        share = asyncio.run(
            with_listeners(port, video_id, options.listeners, lambda: cpu_share(gateway, options.seconds))
        )
    console.print(
        f"{options.listeners} idle listeners: {after - before:.1f} MiB more than {before:.1f} MiB "
        f"({1024 * (after - before) / options.listeners:.1f} KiB each), {100 * share:.1f} % of a core"
    )


def compare(bare_port: int, port: int, video_id: str, seconds: float) -> None:
    """Print how the gateway and the bare app do under the same load, in turns."""
    table = Table("request", "app", "answers/s", "p50 ms", "p99 ms", "of the bare app's rate")
    for method, path in (("POST", "/v1/videos"), ("GET", f"/v1/videos/{video_id}")):
        rate = 0.0
        for name, target in (("bare FastAPI", bare_port), ("gateway", port)):
            load(target, method, path, 1)  # warm up
            result = load(target, method, path, seconds)
            rate = rate or result.per_s
            cells = (result.per_s, result.p50_ms, result.p99_ms)
            table.add_row(method, name, *(f"{cell:.1f}" for cell in cells), f"{result.per_s / rate:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
