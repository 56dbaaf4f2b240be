"""Container files name the queues, images and version that there are."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml

import cascade
from cascade.models.presets.table import PRESETS

ROOT = Path(__file__).parent.parent
WORKER_QUEUES = set(PRESETS["shapes"].queues)


def services() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(content["services"])


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy" / "cascade.yaml").read_text()))


def test_compose_starts_a_worker_for_every_queue_of_shapes() -> None:
    commands = [service["command"] for name, service in services().items() if name.startswith("worker-")]
    assert {command.replace("${CASCADE_PRESETS:-shapes}", "shapes") for command in commands} == WORKER_QUEUES


def test_kubernetes_runs_a_worker_for_every_queue_of_shapes() -> None:
    containers = [
        container
        for manifest in manifests()
        if manifest["kind"] == "Deployment"
        for container in manifest["spec"]["template"]["spec"]["containers"]
    ]
    assert {one["args"][0] for one in containers if one["image"] == "cascade-worker"} == WORKER_QUEUES


def test_compose_and_kubernetes_use_the_targets_of_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    built = {service["build"]["target"] for service in services().values() if "build" in service}
    images = set(re.findall(r"image: cascade-(\S+)", (ROOT / "deploy" / "cascade.yaml").read_text()))
    assert built == images == {"gateway", "worker"}
    assert built <= targets


def test_images_are_built_with_the_versions_that_the_tests_ran_with() -> None:
    installs = re.findall(r"pip install (.*)", (ROOT / "Dockerfile").read_text())
    assert installs
    assert all("--constraint constraints.txt" in install for install in installs)


def test_the_version_is_written_in_one_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert cascade.__version__ == version
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    allowed = {"pyproject.toml", "constraints.txt", "CHANGELOG.md"}
    written = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.])")
    texts = {".py", ".md", ".yml", ".yaml", ".toml", ".html", ".js", ""}
    paths = [ROOT / name for name in set(listed.stdout.splitlines()) - allowed if Path(name).suffix in texts]
    repeats = [path for path in paths if path.is_file() and written.search(path.read_text(errors="ignore"))]
    assert repeats == []


def test_licence_is_in_the_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / project["license-files"][0]).read_text()
