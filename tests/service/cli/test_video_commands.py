"""`cascade submit, watch, get, list, cancel, download` against a running gateway."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cascade.workers.servers import Servers

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(gateway_url: str, connected: Servers, cascade: Run, tmp_path: Path) -> Run:
    def run_there(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return cascade(*args, cwd=tmp_path, **({"CASCADE_URL": gateway_url} | env))

    return run_there


def test_a_video_is_submitted_watched_and_downloaded(
    run: Run, finish: Callable[..., None], later: Callable[..., None], tmp_path: Path
) -> None:
    submitted = run("submit", "a red circle", "--seed", "7", "--steps", "keyframes=3")
    assert submitted.returncode == 0, submitted.stdout
    video_id = submitted.stdout.strip()
    later(3, finish, video_id)
    watched = run("watch", video_id)
    assert watched.returncode == 0, watched.stdout
    assert f"{video_id} completed" in watched.stdout
    assert "Expert translation" in watched.stdout
    video = json.loads(run("get", video_id).stdout)
    assert (video["seed"], video["stages"][0]["steps"]) == (7, 3)
    assert video_id in run("list").stdout
    assert run("download", video_id).stdout.strip() == f"{video_id}.mp4"
    assert (tmp_path / f"{video_id}.mp4").read_bytes() == b"mp4 expert-translation"
    run("download", video_id, "-o", "k.png", "--variant", "spritesheet", "--stage", "keyframes")
    assert (tmp_path / "k.png").read_bytes() == b"png keyframes"


def test_a_video_is_cancelled_and_watching_it_says_so(run: Run) -> None:
    video_id = run("submit", "a red circle").stdout.strip()
    assert "cancelled" in run("cancel", video_id).stdout
    watched = run("watch", video_id)
    assert (watched.returncode, "cancelled" in watched.stdout) == (1, True)


def test_refusals_are_printed_in_words(run: Run) -> None:
    refused = run("submit", "a red circle", "--size", "1x1")
    assert (refused.returncode, "choose one of 256x160" in refused.stdout) == (1, True)
    assert "there is no video" in run("get", "video_0").stdout
    assert "STAGE=NUMBER" in run("submit", "x", "--steps", "three").stderr
    away = run("list", CASCADE_URL="http://127.0.0.1:1")
    assert (away.returncode, "cannot be reached" in away.stdout) == (1, True)


def test_a_key_is_sent(run: Run, guarded_url: str, as_key: Callable[..., httpx.Client]) -> None:
    token = as_key("a").headers["authorization"].removeprefix("Bearer ")
    assert "an API key is needed" in run("list", CASCADE_URL=guarded_url).stdout
    submitted = run("submit", "a red circle", CASCADE_URL=guarded_url, CASCADE_API_KEY=token)
    assert submitted.returncode == 0
