"""Hand-off of tensors through Redis and through S3, by size, over the embedded servers in one run."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from cascade.models.clip import Clip
from cascade.service.stack.embedded import accepts_connections, credentials_of, redis_program, s3_program
from cascade.workers.job_queue import Conveyor
from cascade.workers.settings import Settings
from cascade.workers.storage.serialization import pack_clip, unpack_clip

SHAPES = {
    "keyframes 8x64x40": (8, 40, 64),
    "interpolation 29x64x40": (29, 40, 64),
    "super-resolution 29x256x160": (29, 160, 256),
    "expert-translation 29x576x320": (29, 320, 576),
}
REPEATS = 5


def best(action: object) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    table = Table("clip", "MiB", "Redis ms", "S3 ms", "S3 / Redis")
    with tempfile.TemporaryDirectory() as scratch:
        credentials = credentials_of(Path(scratch))
        programs = (redis_program(credentials, Path(scratch)), s3_program(credentials, Path(scratch)))
        servers = [
            subprocess.Popen(
                p.argv, env=os.environ | p.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for p in programs
        ]
        while not all(map(accepts_connections, (credentials.redis_port, credentials.s3_port))):
            time.sleep(0.05)
        conveyors = [
            Conveyor.connect(
                Settings(
                    redis_url=credentials.redis_url,
                    s3_endpoint_url=credentials.s3_endpoint_url,
                    s3_access_key=credentials.s3_access_key,
                    s3_secret_key=credentials.s3_secret_key,
                    inline_artifact_max_bytes=limit,
                )
            )
            for limit in (1 << 30, 0)
        ]
        conveyors[0].objects.ensure_bucket()
        for name, (frames, height, width) in SHAPES.items():
            clip = Clip(torch.randn(1, frames, 3, height, width), 8)
            seconds = []
            for conveyor in conveyors:

                def hand_over(artifacts=conveyor.artifacts, clip=clip) -> None:
                    unpack_clip(artifacts.get(artifacts.put_tensors("x", "jobs/x/clip", pack_clip(clip))))

                seconds.append(best(hand_over))
            size = clip.frames.numel() * 4 / 2**20
            redis_s, s3_s = seconds
            table.add_row(
                name, f"{size:.1f}", f"{redis_s * 1e3:.1f}", f"{s3_s * 1e3:.1f}", f"{s3_s / redis_s:.1f}"
            )
        for server in servers:
            server.terminate()
            server.wait()
    Console().print(table)


if __name__ == "__main__":
    main()
