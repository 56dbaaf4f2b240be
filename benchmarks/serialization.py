"""What it takes to hand a clip from one stage to the next: serialise, store, read back, through Redis and through S3.

    python benchmarks/serialization.py

Embedded servers, clips of the sizes of all stages, the best of several repetitions in one run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch
from gateway import running_server
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from cascade.models.clip import Clip
from cascade.service.stack.embedded import Credentials, credentials_of, redis_program, s3_program
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import ArtifactStore
from cascade.workers.storage.serialization import pack_output, unpack_output

CLIPS = {
    "keyframes 8x64x40": (8, 40, 64),
    "interpolation 29x64x40": (29, 40, 64),
    "super-resolution 29x256x160": (29, 160, 256),
    "expert-translation 29x576x320": (29, 320, 576),
}
"""Frames, height and width."""
INLINE_MAX_BYTES = {"Redis": 1 << 30, "S3": 0}
"""The largest tensors that go to Redis: all, or none."""
REPEATS = 5


def main() -> None:
    """Print a table of milliseconds by clip and store."""
    table = Table("clip", "MiB", "Redis ms", "S3 ms", "S3 / Redis")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        folder = Path(scratch)
        credentials = credentials_of(folder)
        running.enter_context(running_server(redis_program(credentials, folder), credentials.redis_port))
        running.enter_context(running_server(s3_program(credentials, folder), credentials.s3_port))
        stores = [connect(credentials, limit) for limit in INLINE_MAX_BYTES.values()]
        for name, (frames, height, width) in CLIPS.items():
            clip = Clip(torch.randn(1, frames, 3, height, width), 8)
            redis_s, s3_s = (best_s(partial(hand_over, store, clip)) for store in stores)
            size_mib = clip.frames.nbytes / 2**20
            cells = (size_mib, 1000 * redis_s, 1000 * s3_s, s3_s / redis_s)
            table.add_row(name, *(f"{cell:.1f}" for cell in cells))
    Console().print(table)


def connect(credentials: Credentials, inline_max_bytes: int) -> ArtifactStore:
    """Connect to the embedded servers; tensors up to the limit go to Redis, larger ones to S3."""
    servers = Servers.connect(
        Settings(
            redis_url=SecretStr(credentials.redis_url),
            s3_endpoint_url=credentials.s3_endpoint_url,
            s3_access_key=SecretStr(credentials.s3_access_key),
            s3_secret_key=SecretStr(credentials.s3_secret_key),
            inline_artifact_max_bytes=inline_max_bytes,
        )
    )
    servers.objects.ensure_bucket()
    return ArtifactStore.of(servers)


def hand_over(store: ArtifactStore, clip: Clip) -> None:
    """Do what two workers do between two stages with a clip (1, frames, 3, height, width)."""
    artifact = store.put_tensors("job", "jobs/job/stage.safetensors", pack_output(clip))
    unpack_output(store.get(artifact))


def best_s(action: Callable[[], None]) -> float:
    """Return the seconds of the fastest of REPEATS runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
