"""Docker and its compose, as commands."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
OF_PIP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "TORCH_INDEX_URL")


def docker(*arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """Run a command of Docker and return what it prints."""
    return _run(["docker", *arguments], check=check, env=env)


def inspect(container: str) -> dict[str, Any]:
    """Return what Docker knows of a container."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return found[0]


def make_base(name: str, suite: str = "bookworm") -> None:
    """Make an image of Debian with Python and the certificate authorities of this machine, without a registry."""
    if docker("images", "--quiet", name):
        return
    debian = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=python3,python3-venv,ca-certificates",
        f"--customize-hook=upload {CERTIFICATES} {CERTIFICATES}",
        suite,
        "-",
    ]
    with subprocess.Popen(debian, stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", "-", name], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL
        )
    assert tar.returncode == 0, "mmdebstrap failed"


def build(target: str, tag: str, base: str, dockerfile: str = "Dockerfile") -> None:
    """Build a target of a Dockerfile with what pip is told on this machine; a local folder of wheels is served."""
    given = {name: os.environ[name] for name in OF_PIP if os.environ.get(name)}
    with _served(given.get("PIP_FIND_LINKS")) as wheels:
        arguments = given | wheels | {"BASE_IMAGE": base}
        docker(
            "build",
            "--network=host",
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            f"--file={dockerfile}",
            f"--target={target}",
            f"--tag={tag}",
            str(ROOT),
            env={"DOCKER_BUILDKIT": "0"},
        )


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@dataclass(frozen=True)
class Compose:
    """docker-compose.yml with a name and an environment of its own."""

    project: str
    env: Mapping[str, str]
    env_file: Path

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command of compose and return what it prints, errors included."""
        command = ["docker", "compose"] if _has_plugin() else ["docker-compose"]
        where = [
            "--project-name",
            self.project,
            "--env-file",
            str(self.env_file),
            "--project-directory",
            str(ROOT),
        ]
        return _run([*command, *where, *arguments], check=check, env=self.env)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers, stopped ones too."""
        labels = [
            f"label=com.docker.compose.project={self.project}",
            f"label=com.docker.compose.service={service}",
        ]
        return docker(
            "ps", "--all", "--quiet", "--no-trunc", *(f"--filter={label}" for label in labels)
        ).split()


def _run(command: list[str], *, check: bool, env: Mapping[str, str] | None) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASCADE_")}
    outcome = subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0 or not check, f"{' '.join(command)}\n{outcome.stdout[-6000:]}"
    return outcome.stdout.strip()


@functools.cache
def _has_plugin() -> bool:
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@contextmanager
def _served(folder: str | None) -> Iterator[dict[str, str]]:
    """Serve a folder on loopback, which a build with the host's network reaches; addresses stay as they are."""
    if folder is None or not Path(folder).is_dir():
        yield {}
        return
    handler = functools.partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"PIP_FIND_LINKS": f"http://127.0.0.1:{server.server_port}/"}
        finally:
            server.shutdown()
            thread.join()
