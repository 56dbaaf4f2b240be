"""A whole stack as `cascade up` starts it, for the tests of this folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cascade.service.stack.embedded import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.end_to_end.browsing import Pages

PROMPT = "a red circle moving right on a gray background"
FEW_STEPS = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 2}
SMALL = "128x80"
ENDLESS = 100
"""Steps of super-resolution, in each of four windows: more than a test waits for, on any machine."""
ANSWER_S = 30


@dataclass
class Up:
    """A running `cascade up`."""

    data_dir: Path
    checkpoints: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        env = {
            "CASCADE_DATA_DIR": str(self.data_dir),
            "CASCADE_CHECKPOINTS_DIR": str(self.checkpoints),
            "CASCADE_PORT": str(self.port),
            "CASCADE_LEASE_S": "2",
            "CASCADE_WEBHOOK_PRIVATE_TARGETS": "true",
            "CASCADE_DRAIN_S": "1",
        }
        command = [sys.executable, "-m", "cascade", "up"]
        with (self.data_dir.parent / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | env, stdout=log, stderr=subprocess.STDOUT
            )
        self.wait_until(lambda: self.answer("/readyz") == 200, 240)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(120) == 0

    def answer(self, path: str) -> int | None:
        assert self.process.poll() is None, (self.data_dir.parent / "up.log").read_text()
        try:
            return httpx.get(f"{self.url}{path}", timeout=ANSWER_S).status_code
        except httpx.TransportError:
            return None

    @staticmethod
    def wait_until(condition: Callable[[], bool], seconds: float = 150) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(
        self, seed: int = 7, steps: dict[str, int] = FEW_STEPS, size: str = SMALL, **fields: object
    ) -> str:
        body = {"prompt": PROMPT, "seed": seed, "steps": steps, "size": size, **fields}
        answer = httpx.post(f"{self.url}/v1/videos", json=body, timeout=ANSWER_S)
        assert answer.status_code == 200, answer.text
        video_id: str = answer.json()["id"]
        return video_id

    def cancel(self, video_id: str) -> None:
        url = f"{self.url}/v1/videos/{video_id}/cancel"
        httpx.post(url, timeout=ANSWER_S).raise_for_status()

    def get(self, video_id: str) -> dict[str, Any]:
        url = f"{self.url}/v1/videos/{video_id}"
        video: dict[str, Any] = httpx.get(url, timeout=ANSWER_S).json()
        return video

    def stage(self, video_id: str, name: str) -> dict[str, Any]:
        return next(stage for stage in self.get(video_id)["stages"] if stage["name"] == name)

    def finished(self, video_id: str) -> dict[str, Any]:
        self.wait_until(lambda: self.get(video_id)["status"] not in ("queued", "in_progress"))
        video = self.get(video_id)
        assert video["status"] == "completed", video["error"]
        return video

    def running(self, video_id: str, stage: str) -> None:
        """Wait until a stage has done its first step."""
        self.wait_until(lambda: self.stage(video_id, stage)["step"] > 0)

    @contextmanager
    def hold(self, stage: str) -> Iterator[None]:
        """Freeze the worker of a stage: no job gets past it before the block ends, however slow the test is."""
        pid = self.pid_of(f"cascade worker shapes.{stage}")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def pid_of(self, name: str) -> int:
        """The process of a child, by its command line."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode().replace("\0", " ")
                parent = re.search(r"PPid:\s+(\d+)", (folder / "status").read_text())
            except OSError:
                continue
            if parent and int(parent[1]) == self.process.pid and name in command:
                return int(folder.name)
        raise AssertionError(f"no child {name}")


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, shapes_checkpoints: Path) -> Iterator[Up]:
    stack = Up(tmp_path_factory.mktemp("stack") / "data", shapes_checkpoints)
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from tests.end_to_end.browsing import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def pages(browser: Browser, up: Up) -> Iterator[Pages]:
    """Pages of the stack; a video that a test leaves under way would slow the next one down."""
    from tests.end_to_end.browsing import Pages

    pages = Pages(browser, up)
    yield pages
    pages.close("status of 422")
    for video in httpx.get(f"{up.url}/v1/videos?limit=100", timeout=ANSWER_S).json()["data"]:
        httpx.delete(f"{up.url}/v1/videos/{video['id']}", timeout=ANSWER_S)


@pytest.fixture
def page(pages: Pages) -> Page:
    return pages.open()
