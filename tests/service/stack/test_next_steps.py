"""What `cascade up` says at the end of its start: commands that work as they stand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cascade.service.stack.next_steps import next_steps
from cascade.workers.job_queue import JobQueue
from cascade.workers.settings import Settings

Lines = dict[str, str]


def steps(url: str, **settings: object) -> Lines:
    lines = next_steps(Settings.model_validate(settings), url).splitlines()
    return {line[:11].strip(): line[11:] for line in lines}


def run(line: str, **env: str) -> str:
    """Run a line as a shell does."""
    return subprocess.run(
        line, shell=True, env=os.environ | env, capture_output=True, text=True, check=True
    ).stdout


def test_each_command_makes_a_video(gateway_url: str, job_queue: JobQueue, tmp_path: Path) -> None:
    told = steps(gateway_url, data_dir=tmp_path / "data")
    assert told["page"] == gateway_url
    assert run(told["a video"]).startswith("video_")
    assert told["data"].startswith(str(tmp_path / "data"))
    assert "cascade keys create" in told["keys"]
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert json.loads(run(told["over HTTP"]))["status"] == "queued"


def test_where_keys_are_needed_the_commands_take_one(
    guarded_url: str, as_key: Callable[..., httpx.Client]
) -> None:
    token = as_key("a").headers["authorization"].removeprefix("Bearer ")
    told = steps(guarded_url, auth="on")
    assert run(told["a video"], CASCADE_API_KEY=token).startswith("video_")
    assert told["keys"].startswith("needed")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert json.loads(run(told["over HTTP"], CASCADE_API_KEY=token))["status"] == "queued"


def test_at_its_usual_address_a_gateway_needs_no_option() -> None:
    told = steps("http://127.0.0.1:8000")
    assert "--url" not in told["a video"]
    assert "cascade submit '" in told["a video"]
