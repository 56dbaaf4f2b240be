"""The stack that a storm goes over: `cascade up`, its processes by name, and ways into its servers past the gateway."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from cascade.models.presets.table import get_preset
from cascade.service.stack.embedded import LOOPBACK, free_port
from cascade.workers.redis_client import RedisClient
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore

PRESET = "shapes"
QUEUES = get_preset(PRESET).queues
PROCESSES = {
    "redis": "valkey-server",
    "s3": "rclone serve",
    "gateway": "cascade gateway",
    "housekeeper": "cascade housekeeper",
    **{f"worker-{queue}": f"cascade worker {queue}" for queue in QUEUES},
}
"""Children of `cascade up`, and what is in their command lines."""


@dataclass
class StormStack:
    """A running `cascade up` with untrained networks."""

    data_dir: Path
    checkpoints: Path
    settings: Mapping[str, str]

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until videos can be made."""
        env = {
            "CASCADE_DATA_DIR": str(self.data_dir),
            "CASCADE_CHECKPOINTS_DIR": str(self.checkpoints),
            "CASCADE_PORT": str(self.port),
            "CASCADE_PRESETS": PRESET,
            **self.settings,
        }
        self.log = (self.data_dir.parent / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cascade", "up"],
            env=os.environ | env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self.is_ready, 300, "the stack did not start")

    def stop(self) -> float:
        """Stop it; return how many seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        self.log.close()
        return time.monotonic() - started

    def is_ready(self) -> bool:
        """Return whether videos can be made. Raises RuntimeError if the stack has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"`cascade up` has ended; see {self.log.name}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).is_success
        except httpx.TransportError:
            return False

    def pids(self) -> dict[str, int]:
        """Find the children that there are at the moment, by name."""
        pids: dict[str, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
                status = (folder / "status").read_text()
            except OSError:
                continue
            parent = re.search(r"PPid:\s+(\d+)", status)
            if parent is None or int(parent[1]) != self.process.pid:
                continue
            pids |= {name: int(folder.name) for name, part in PROCESSES.items() if part in command}
        return pids

    def redis(self) -> RedisClient:
        """Connect to the embedded Redis."""
        stored = self._credentials()
        return Redis(
            port=stored["redis_port"], password=stored["redis_password"], socket_timeout=30, protocol=2
        )

    def objects(self) -> ObjectStore:
        """Connect to the embedded object store."""
        stored = self._credentials()
        return ObjectStore(
            Settings.model_validate(
                {
                    "s3_endpoint_url": f"http://{LOOPBACK}:{stored['s3_port']}",
                    "s3_access_key": stored["s3_access_key"],
                    "s3_secret_key": stored["s3_secret_key"],
                }
            )
        )

    def _credentials(self) -> dict[str, Any]:
        credentials: dict[str, Any] = json.loads((self.data_dir / "embedded.json").read_text())
        return credentials


def wait_until(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Ask again and again. Raises TimeoutError with the complaint."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.2)
