"""A whole family comes from outside: one folder, one preset file, one line of registry; no file of the project changes.

The folder is copied to a temporary place, where an entry point registers the family, as an installed package's would.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import httpx
import pytest

from cascade.service.stack.embedded import free_port

TOY = Path(__file__).parent / "toy_family"
REGISTRY_LINE = "toy = toy:FAMILY"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the family beside the project."""
    folder = tmp_path_factory.mktemp("toy")
    shutil.copytree(TOY, folder, dirs_exist_ok=True)
    installed = folder / "toy-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[cascade.families]\n{REGISTRY_LINE}\n")
    return os.environ | {
        "PYTHONPATH": str(folder),
        "CASCADE_PRESETS": "toy",
        "CASCADE_CHECKPOINTS_DIR": str(folder / "checkpoints"),
    }


@pytest.fixture(scope="module")
def trained(env: dict[str, str]) -> dict[str, str]:
    """The same, once `cascade train` has created the checkpoints and trained the one part that has a recipe."""
    checkpoints = env["CASCADE_CHECKPOINTS_DIR"]
    output = cascade(
        env, "train", "sketch", "--preset", "toy", "-o", f"{checkpoints}-run", "--checkpoints", checkpoints
    )
    assert "sketch: trained" in output
    losses = Path(f"{checkpoints}-run/sketch/loss.csv").read_text().splitlines()[1:]
    assert float(losses[-1].split(",")[1]) < float(losses[0].split(",")[1]) / 2
    return env


def cascade(env: dict[str, str], *args: str) -> str:
    """Run the command line; what it prints."""
    completed = subprocess.run(
        [sys.executable, "-m", "cascade", *args],
        env=env,
        cwd=env["PYTHONPATH"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr + completed.stdout
    return completed.stdout


@contextmanager
def running_stack(env: dict[str, str]) -> Iterator[str]:
    """`cascade up` until the block ends; the gateway's address, once everything is ready."""
    url = f"http://127.0.0.1:{env['CASCADE_PORT']}"
    process = subprocess.Popen([sys.executable, "-m", "cascade", "up"], env=env, cwd=env["PYTHONPATH"])
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=30) as client:
            deadline = time.monotonic() + 240
            while not ready(client, url):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0


def ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_the_family_is_trained_verified_and_generates(trained: dict[str, str], tmp_path: Path) -> None:
    assert "toy/sketch: right" in cascade(trained, "checkpoints", "verify", "toy")
    cascade(
        trained,
        "generate",
        "anything",
        "--preset",
        "toy",
        "--size",
        "128x128",
        "-o",
        str(tmp_path / "toy.mp4"),
    )
    with av.open(tmp_path / "toy.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 4
    assert frames[0].shape == (128, 128, 3)


@pytest.mark.slow
def test_the_family_is_served_with_a_worker_a_stage_and_a_preview_of_latents(
    trained: dict[str, str], tmp_path: Path
) -> None:
    env = trained | {"CASCADE_DATA_DIR": str(tmp_path / "data"), "CASCADE_PORT": str(free_port())}
    with running_stack(env) as url:
        (model,) = httpx.get(f"{url}/v1/models").json()["data"]
        assert [(stage["name"], stage["title"]) for stage in model["stages"]] == [
            ("sketch", "Sketch"),
            ("paint", "Painting"),
        ]
        request = {"prompt": "anything", "best_of": 2, "seed": 3, "steps": {"sketch": 2}}
        video = httpx.post(f"{url}/v1/videos", json=request).json()
        with (
            httpx.Client(timeout=240) as client,
            client.stream("GET", f"{url}/v1/videos/{video['id']}/events") as events,
        ):
            assert "video.completed" in "".join(events.iter_text())
        video = httpx.get(f"{url}/v1/videos/{video['id']}").json()
        assert len(video["drafts"]) == 2
        for file in (video["url"], *(stage["preview_url"] for stage in video["stages"])):
            assert httpx.get(file).content[4:8] == b"ftyp"
