"""Clients that others wrote, as they come, against the running stack: SDKs, download tools and a browser."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.end_to_end.conftest import ANSWER_S, SMALL, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROMPT = "a red circle moving right on a gray background"
CLIENTS = Path(__file__).parent / "clients"
STEPS = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 1}


@pytest.fixture(scope="module")
def video(up: Up) -> Iterator[dict[str, Any]]:
    """A finished video."""
    video = up.finished(up.post(steps=STEPS, size=SMALL))
    yield video
    httpx.delete(f"{up.url}/v1/videos/{video['id']}", timeout=ANSWER_S)


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def frames(content: bytes) -> int:
    with av.open(io.BytesIO(content), "r") as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_last_openai_sdk_for_node(up: Up, tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("there is no Node on this machine")
    run(npm, "install", "--prefix", tmp_path, "--no-audit", "--no-fund", "--prefer-offline", "openai")
    script = shutil.copy(CLIENTS / "openai_client.mjs", tmp_path)  # it finds the SDK beside itself
    file = tmp_path / "video.mp4"
    said = json.loads(run(node, script, up.url, PROMPT, file))
    assert (said["created"]["status"], said["video"]["status"]) == ("queued", "completed")
    assert said["created"]["metadata"] == {"who": "node"}
    assert [stage["steps"] for stage in said["created"]["stages"]][:1] == [2]
    assert frames(file.read_bytes()) == 29
    assert said["remix"]["remixed_from_video_id"] == said["video"]["id"]
    assert said["listed"][:2] == [said["remix"]["id"], said["video"]["id"]]
    assert said["deleted"]["deleted"] is True
    assert said["refused"] == {"status": 422, "param": "model"}


def test_litellm(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    said = json.loads(run(sys.executable, CLIENTS / "litellm_client.py", up.url, PROMPT, file))
    assert (said["status"], said["progress"]) == ("completed", 100)
    assert frames(file.read_bytes()) == 8
    listed = httpx.get(f"{up.url}/v1/videos?limit=1", timeout=ANSWER_S).json()["data"][0]
    assert (listed["stages"][0]["steps"], listed["seed"]) == (2, 7)


def test_download_tools_get_the_whole_file_and_parts_of_it(
    up: Up, video: dict[str, Any], tmp_path: Path
) -> None:
    address = f"{up.url}/v1/videos/{video['id']}/content"
    content = httpx.get(address, timeout=ANSWER_S).content
    assert frames(content) == 29
    assert httpx.get(video["url"], timeout=ANSWER_S).content == content
    for number, command in enumerate(
        (
            ("curl", "-sSf", "-C", "-", "-H", "Authorization: Bearer unused", "-o"),
            ("wget", "-q", "-c", "--header", "Authorization: Bearer unused", "-O"),
        )
    ):
        if shutil.which(command[0]) is None:
            continue
        file = tmp_path / f"{number}.mp4"
        file.write_bytes(content[:100])
        run(*command, file, address)
        assert file.read_bytes() == content
    parts = [
        httpx.get(video["url"], headers={"Range": f"bytes={first}-{first + 999}"}, timeout=ANSWER_S)
        for first in range(0, len(content), 1000)
    ]
    assert {part.status_code for part in parts} == {206}
    assert b"".join(part.content for part in parts) == content


WATCH = """id => new Promise(resolve => {
  const types = [];
  let connections = 0;
  const source = new EventSource(`v1/videos/${id}/events`);
  source.onopen = () => connections += 1;
  for (const type of ["video.queued", "stage.completed", "video.completed"]) {
    source.addEventListener(type, () => types.push(type));
  }
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) resolve({types, connections});
  };
})"""
SEEK = """url => new Promise((resolve, reject) => {
  const clip = document.createElement("video");
  clip.muted = true;
  clip.preload = "auto";
  clip.onerror = () => reject(clip.error.message);
  clip.onloadedmetadata = () => { clip.currentTime = 2; };
  clip.onseeked = () => resolve([clip.currentTime, clip.seekable.end(0)]);
  clip.src = url;
})"""


def test_a_browser_follows_events_to_their_end_and_seeks_in_a_clip(up: Up, video: dict[str, Any]) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(up.url)
        running = up.post(steps=STEPS, size=SMALL, stop_after="interpolation")
        for video_id, stages in ((running, 2), (video["id"], 4), (running, 2)):
            seen = page.evaluate(WATCH, video_id)
            expected = ["video.queued", *["stage.completed"] * stages, "video.completed"]
            assert seen == {"types": expected, "connections": 1}
        time, end = page.evaluate(SEEK, video["url"])
        assert time == 2 and end > 3
        browser.close()
