"""The demo: one prompt through a whole stack, watched over HTTP, down to files one can look at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

FINAL = ("completed", "failed", "cancelled")
POLL_S = 0.5


class DemoFailed(Exception):
    """The video did not come out."""


def make_video(url: str, prompt: str, seed: int) -> dict[str, Any]:
    """POST a prompt and show the progress of every stage until the video is there.

    Raises:
        DemoFailed: the job ended in another way.
    """
    with httpx.Client(base_url=url, timeout=30) as client:
        created = client.post("/v1/videos", json={"prompt": prompt, "seed": seed})
        created.raise_for_status()
        video: dict[str, Any] = created.json()
        with progress_bars() as bars:
            tasks = {stage["kind"]: bars.add_task(stage["kind"], total=100) for stage in video["stages"]}
            for latest in poll(client, video["id"]):
                for stage in latest["stages"]:
                    bars.update(tasks[stage["kind"]], completed=stage["progress"])
                video = latest
    if video["status"] != "completed":
        raise DemoFailed(f"video {video['id']} {video['status']}: {video['error']}")
    return video


def poll(client: httpx.Client, video_id: str) -> Iterator[dict[str, Any]]:
    """The video again and again, until it has ended."""
    while True:
        answer = client.get(f"/v1/videos/{video_id}")
        answer.raise_for_status()
        video = answer.json()
        yield video
        if video["status"] in FINAL:
            return
        time.sleep(POLL_S)


def download(video: dict[str, Any], folder: Path) -> list[Path]:
    """Download the video and every stage's clip from their presigned URLs."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{i}-{stage['kind']}.mp4": stage["preview_url"] for i, stage in enumerate(video["stages"], 1)}
    wanted["video.mp4"] = video["url"]
    paths = []
    for name, url in wanted.items():
        answer = httpx.get(url, timeout=60)
        answer.raise_for_status()
        path = folder / name
        path.write_bytes(answer.content)
        paths.append(path)
    return paths


def progress_bars() -> Progress:
    """One bar per stage, with its time."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns)
