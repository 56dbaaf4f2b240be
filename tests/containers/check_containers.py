"""Both images and the stack of docker-compose.yml in a real container engine: `make containers-test`."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cascade.models.presets.table import PRESETS
from cascade.service.api.schemas.operations import Operations
from cascade.service.client import Client
from cascade.service.stack.embedded import free_port
from tests.containers.engine import ROOT, Compose, build, docker, inspect, make_base

PREFIX = "cascade-test"
BASE = f"{PREFIX}-base"
IMAGES = {name: f"{PREFIX}-{name}" for name in ("gateway", "worker", "redis", "s3")}
SECRETS = ("CASCADE_REDIS_PASSWORD", "CASCADE_S3_ACCESS_KEY", "CASCADE_S3_SECRET_KEY")
OURS = ("gateway", "housekeeper", *(f"worker-{stage}" for stage in PRESETS["shapes"].stage_names))
STAGE = "super-resolution"
SMALL = "128x80"
SHORT = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 2}
LONG = SHORT | {"super-resolution": 20}
"""Steps of super-resolution in each window: long enough to be met in mid-stage."""


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The names of the images, built; `CASCADE_BASE_IMAGE` is another base than the one that is made here."""
    base = os.environ.get("CASCADE_BASE_IMAGE", BASE)
    if base == BASE:
        make_base(BASE)
    for name, image in IMAGES.items():
        dockerfile = "Dockerfile" if name in ("gateway", "worker") else "tests/containers/servers.Dockerfile"
        build(name, image, base, dockerfile)
    return IMAGES


@pytest.fixture(scope="session")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets as `make .env` writes them."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run(["make", "--silent", f"--file={ROOT / 'Makefile'}", ".env"], cwd=folder, check=True)
    return folder / ".env"


@dataclass(frozen=True)
class Running:
    """The stack in containers, a key for it, and a client that has the key."""

    compose: Compose
    client: Client

    def running_container(self) -> str | None:
        """Return a container that is in the middle of STAGE."""
        seen = self.client._connection.request(Operations, "GET", "/v1/ops")
        running = {
            video.id
            for video in seen.videos
            for stage in video.stages
            if stage.name == STAGE and stage.step > 0
        }
        hosts = {worker.name.split("@")[1] for worker in seen.workers if worker.video_id in running}
        for container in self.compose.containers(f"worker-{STAGE}"):
            if any(host.startswith(container[:12]) for host in hosts):
                return container
        return None


@pytest.fixture(scope="session")
def running(images: dict[str, str], env_file: Path) -> Iterator[Running]:
    port, s3_port = free_port(), free_port()
    env = {
        "CASCADE_PORT": str(port),
        "CASCADE_S3_PORT": str(s3_port),
        "CASCADE_S3_PUBLIC_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
        "CASCADE_DRAIN_S": "1",
        "CASCADE_LEASE_S": "5",
        "COMPOSE_PARALLEL_LIMIT": "4",
    } | {f"CASCADE_{name.upper()}_IMAGE": image for name, image in images.items()}
    compose = Compose(f"{PREFIX}-{secrets.token_hex(3)}", env, env_file)
    try:
        compose.run("up", "--detach", "--no-build")
        wait_until(lambda: inspect(*compose.containers("gateway"))["State"]["Health"]["Status"] == "healthy")
        scopes = ("--scope", "generate", "--scope", "read", "--scope", "admin")
        created = compose.run("exec", "-T", "gateway", "cascade", "keys", "create", "test", *scopes)
        with Client(f"http://127.0.0.1:{port}", api_key=created.split()[-1]) as client:
            yield Running(compose, client)
    except BaseException:
        print(compose.run("logs", "--tail=60", check=False))
        raise
    finally:
        compose.run("down", "--volumes", "--timeout=5", check=False)


# Images


@pytest.mark.parametrize("missing", SECRETS)
def test_compose_refuses_to_start_without_a_secret(missing: str, env_file: Path, tmp_path: Path) -> None:
    lines = [line for line in env_file.read_text().splitlines() if not line.startswith(missing)]
    (tmp_path / ".env").write_text("\n".join(lines))
    outcome = Compose("none", {}, tmp_path / ".env").run("up", "--detach", check=False)
    assert missing in outcome
    assert "make .env" in outcome
    assert docker("ps", "--quiet", "--filter=label=com.docker.compose.project=none") == ""


@pytest.mark.parametrize("image", ["gateway", "worker"])
def test_an_image_has_the_versions_that_the_tests_ran_with(image: str, images: dict[str, str]) -> None:
    listed = docker(
        "run",
        "--rm",
        "--entrypoint=pip",
        images[image],
        "freeze",
        "--exclude=cascade",
        "--exclude=setuptools",
    )
    installed = {line.lower().replace("_", "-").split("+")[0] for line in listed.splitlines()}
    locked = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    assert installed
    assert installed <= {line.split("+")[0] for line in locked}


def test_the_gateway_image_has_neither_torch_nor_weights(images: dict[str, str]) -> None:
    listed = docker("run", "--rm", images["gateway"], "pip", "freeze").lower()
    assert not re.search(r"^(torch|nvidia|diffusers|transformers|safetensors|av)\b", listed, re.MULTILINE)
    weights = ("*.safetensors", "*.bin", "*.pt", "*.ckpt", "*.pth")
    names = " -o ".join(f"-name '{pattern}'" for pattern in weights)
    assert (
        docker("run", "--rm", images["gateway"], "sh", "-c", f"find /opt /home -size +100k \\( {names} \\)")
        == ""
    )


def test_every_command_tells_its_help_without_what_an_image_leaves_out(images: dict[str, str]) -> None:
    for command in ("", "gateway", "housekeeper", "up", "demo", "keys", "generate", "train", "checkpoints"):
        said = docker("run", "--rm", "--read-only", images["gateway"], "cascade", *command.split(), "--help")
        assert "Usage" in said


# The stack


def test_a_video_is_made_from_a_prompt(running: Running, tmp_path: Path) -> None:
    video = running.client.submit("a red circle", size=SMALL, steps=SHORT, seed=1)
    wait_until(lambda: running.client.get(video.id).status not in ("queued", "in_progress"))
    assert running.client.get(video.id).status == "completed"
    running.client.download(video.id, tmp_path / "video.mp4")
    assert (tmp_path / "video.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("service", OURS)
def test_containers_are_unprivileged_and_cannot_write_their_root(service: str, running: Running) -> None:
    (container,) = running.compose.containers(service)
    host = inspect(container)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    status = docker("exec", container, "cat", "/proc/self/status")
    assert re.search(r"^Uid:\s+1000\s+1000\s", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert "Read-only" in docker("exec", container, "touch", "/opt/cascade/x", check=False)


def test_ports_are_published_on_loopback_only(running: Running) -> None:
    for service in ("redis", "s3", *OURS):
        (container,) = running.compose.containers(service)
        bindings = inspect(container)["HostConfig"]["PortBindings"] or {}
        addresses = {one["HostIp"] for published in bindings.values() for one in published}
        assert addresses <= {"127.0.0.1"}
        assert bool(addresses) == (service in ("gateway", "s3"))


def test_a_worker_stopped_in_mid_stage_loses_nothing(running: Running, tmp_path: Path) -> None:
    running.compose.run("up", "--detach", "--no-build", "--no-recreate", "--scale", f"worker-{STAGE}=2")
    client = running.client
    wanted = [client.submit("a red circle", size=SMALL, steps=LONG, seed=seed).id for seed in (1, 1, 2)]
    stopped: list[str] = []

    def stop_one() -> bool:
        container = running.running_container()
        if container is not None:
            docker("stop", "--time=60", container)
            stopped.append(container)
        return bool(stopped)

    wait_until(stop_one)
    assert inspect(stopped[0])["State"]["ExitCode"] == 0
    wait_until(lambda: all(client.get(one).status == "completed" for one in wanted), 1200)
    videos = []
    for one in wanted:
        client.download(one, tmp_path / "video.mp4")
        videos.append((tmp_path / "video.mp4").read_bytes())
    assert videos[0] == videos[1] != videos[2]


def test_containers_that_are_told_to_stop_do_so_in_time(running: Running) -> None:
    started = time.monotonic()
    containers = [one for service in OURS for one in running.compose.containers(service)]
    docker("stop", "--time=60", *containers)
    assert time.monotonic() - started < 60
    killed = {inspect(one)["Name"] for one in containers if inspect(one)["State"]["ExitCode"] == 137}
    assert killed == set()
