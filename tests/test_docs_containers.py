"""Container files name the queues, images and version that there are, and give no more rights than are needed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from packaging.specifiers import SpecifierSet

import cascade
from cascade.models.presets.table import PRESETS

ROOT = Path(__file__).parent.parent
WORKER_QUEUES = set(PRESETS["shapes"].queues)
KUBERNETES = ("1.28", "1.37")
"""The oldest and the newest version whose schemas the manifests are held against."""


def services() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(content["services"])


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy" / "cascade.yaml").read_text()))


def pods() -> list[dict[str, Any]]:
    return [manifest["spec"]["template"] for manifest in manifests() if manifest["kind"] == "Deployment"]


def test_compose_starts_a_worker_for_every_queue_of_shapes() -> None:
    commands = [service["command"] for name, service in services().items() if name.startswith("worker-")]
    assert {command.replace("${CASCADE_PRESETS:-shapes}", "shapes") for command in commands} == WORKER_QUEUES


def test_kubernetes_runs_a_worker_for_every_queue_of_shapes() -> None:
    containers = [container for pod in pods() for container in pod["spec"]["containers"]]
    assert {one["args"][0] for one in containers if one["image"] == "cascade-worker"} == WORKER_QUEUES


def test_compose_and_kubernetes_use_the_targets_of_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    built = {service["build"]["target"] for service in services().values() if "build" in service}
    images = set(re.findall(r"image: cascade-(\S+)", (ROOT / "deploy" / "cascade.yaml").read_text()))
    assert built == images == {"gateway", "worker"}
    assert built <= targets


def test_compose_has_no_default_secrets_and_publishes_on_loopback() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    named = re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)(\S?\S?)", text)
    assert {name for name, _ in named} == {
        "CASCADE_REDIS_PASSWORD",
        "CASCADE_S3_ACCESS_KEY",
        "CASCADE_S3_SECRET_KEY",
    }
    assert {operator for _, operator in named} == {":?"}
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("${CASCADE_PUBLISH:-127.0.0.1}:") for port in ports)


def test_compose_restricts_every_container() -> None:
    for service in services().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "ipc"}


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_what_kubernetes_takes(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_pods_meet_the_restricted_security_standard_and_have_no_token() -> None:
    for pod in pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert all(volume.keys() - {"name"} == {"emptyDir"} for volume in spec["volumes"])
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_pods_have_limits_and_only_the_secret_of_their_component() -> None:
    for pod in pods():
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for container in pod["spec"]["containers"]:
            assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
            secrets = [one["secretRef"]["name"] for one in container["envFrom"] if "secretRef" in one]
            assert secrets == [f"cascade-{component}"]


def test_network_policies_close_every_pod_and_open_the_gateway_alone() -> None:
    policies = [manifest["spec"] for manifest in manifests() if manifest["kind"] == "NetworkPolicy"]
    everyone = {"app.kubernetes.io/part-of": "cascade"}
    assert all(pod["metadata"]["labels"].items() >= everyone.items() for pod in pods())
    closed = {"podSelector": {"matchLabels": everyone}, "policyTypes": ["Ingress", "Egress"]}
    assert closed in policies
    opened = [policy["podSelector"]["matchLabels"] for policy in policies if "ingress" in policy]
    assert opened == [{"app": "cascade-gateway"}]


def test_locked_versions_run_on_every_python_that_is_promised() -> None:
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = promised.removeprefix(">=") + ".0"
    newer = [
        f"{one.name} {one.version}"
        for one in distributions()
        if not SpecifierSet(one.metadata["Requires-Python"] or "").contains(oldest)
    ]
    assert newer == []


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
