"""The command line, the supervisor and the documents that must agree with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import httpx
import pytest
import yaml
from PIL import Image

from cascade.models.presets.table import StageKind
from cascade.service.cli.settings_table import settings_table
from cascade.service.stack.embedded import credentials_of
from cascade.service.stack.supervisor import Child, StartFailed, Supervisor

ROOT = Path(__file__).parent.parent.parent


def cascade(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cascade", *args],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def sleeper(name: str, folder: Path, script: str = "import time; time.sleep(600)") -> Child:
    return Child(name, (sys.executable, "-c", script), {}, folder / f"{name}.log")


def test_a_child_that_dies_is_restarted_and_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.start(sleeper("redis", tmp_path))
    first = supervisor.pids()["redis"]
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while supervisor.pids()["redis"] == first and time.monotonic() < deadline:
        supervisor.watch()
        time.sleep(0.05)
    second = supervisor.pids()["redis"]
    assert second != first
    assert "redis died (signal SIGKILL)" in said[0]
    supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = (
        "import signal, sys, time, pathlib\n"
        "def stop(*_):\n"
        f"    with open({str(order)!r}, 'a') as file: file.write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path(sys.argv[2]).touch()\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor(lambda _: None)
    for name in ("redis", "s3", "gateway"):
        ready = tmp_path / f"{name}.ready"
        argv = (sys.executable, "-c", script, name, str(ready))
        supervisor.start(Child(name, argv, {}, tmp_path / f"{name}.log", is_ready=ready.exists))
    supervisor.stop()
    assert order.read_text().split() == ["gateway", "s3", "redis"]


def test_a_child_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    child = Child(
        "redis",
        (sys.executable, "-c", "print('port is taken')"),
        {},
        tmp_path / "log",
        is_ready=lambda: False,
    )
    with pytest.raises(StartFailed, match=r"code 0(.|\n)*port is taken"):
        supervisor.start(child)


def test_credentials_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    first = credentials_of(tmp_path)
    assert credentials_of(tmp_path) == first
    assert (tmp_path / "embedded.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--steps", "keyframes=0"), "1 to 100"),
        (("--steps", "keyframes"), "STAGE=NUMBER"),
        (("--size", "300x200"), "256x160, 128x80"),
        (("--preset", "dreams"), "shapes, show-1"),
    ],
)
def test_generate_refuses_what_the_preset_does_not_offer(args: tuple[str, ...], message: str) -> None:
    done = cascade("generate", "a red circle", *args)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_generate_writes_the_video_and_every_stages_clip_and_sheet(
    tmp_path: Path, shapes_checkpoints: Path
) -> None:
    few = ("keyframes=2", "interpolation=1", "super-resolution=1", "expert-translation=2")
    steps = [argument for value in few for argument in ("--steps", value)]
    output = tmp_path / "out.mp4"
    done = cascade(
        *(
            "generate",
            "a red circle",
            "--seed",
            "7",
            "-o",
            str(output),
            "--keep-stages",
            "--size",
            "128x80",
            *steps,
        ),
        CASCADE_CHECKPOINTS_DIR=str(shapes_checkpoints),
    )
    assert done.returncode == 0, done.stderr
    with av.open(output) as container:
        frames = list(container.decode(video=0))
        assert (len(frames), frames[0].width, frames[0].height) == (29, 128, 80)
        assert container.streams.video[0].average_rate == 8
    for kind in StageKind:
        assert (tmp_path / f"out-{kind}.mp4").stat().st_size > 1000
        with Image.open(tmp_path / f"out-{kind}.png") as sheet:
            assert sheet.width > 1000


@pytest.mark.slow
def test_the_demo_leaves_a_video_and_a_contact_sheet(tmp_path: Path, shapes_checkpoints: Path) -> None:
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
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{credentials_of(tmp_path / 'data').s3_port}")


def test_the_readme_has_every_setting_with_its_default() -> None:
    assert settings_table() in (ROOT / "README.md").read_text()


def test_compose_and_kubernetes_run_a_worker_of_every_stage() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    deployments = yaml.safe_load_all((ROOT / "deploy" / "cascade.yaml").read_text())
    names = {document["metadata"]["name"] for document in deployments}
    for kind in StageKind:
        assert services[f"worker-{kind}"]["command"] == kind
        assert f"cascade-{kind}" in names
    assert services["housekeeper"]["command"] == "cascade housekeeper"
    assert "cascade-housekeeper" in names
