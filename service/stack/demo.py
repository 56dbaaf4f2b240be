"""The demo: one prompt through a whole stack, watched over HTTP, down to files one can look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from cascade.service.client import Client, show_progress


class DemoFailed(Exception):
    """The video did not come out."""


def make_video(url: str, prompt: str, seed: int) -> dict[str, Any]:
    """POST a prompt and show the progress of every stage until the video is there.

    Raises:
        DemoFailed: the job ended in another way.
    """
    client = Client(url)
    video = show_progress(client.watch(client.submit(prompt=prompt, seed=seed)["id"]))
    if video["status"] != "completed":
        raise DemoFailed(f"video {video['id']} {video['status']}: {video['error']}")
    return video


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
