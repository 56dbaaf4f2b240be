"""Imports go down only, and the gateway process never imports torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ABOVE = {"models": {"workers", "service"}, "workers": {"service"}}


def imported(file: Path) -> set[str]:
    roots = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.split(".")[0])
    return roots


@pytest.mark.parametrize("floor", ABOVE)
def test_a_floor_imports_nothing_above_it(floor: str) -> None:
    files = list((ROOT / floor).rglob("*.py"))
    assert len(files) > 5
    upward = {str(file.relative_to(ROOT)): imported(file) & ABOVE[floor] for file in files}
    assert {file: roots for file, roots in upward.items() if roots} == {}


@pytest.mark.parametrize(
    "module",
    [
        "cascade.service.gateway",
        "cascade.service.cli.main",
        "cascade.workers.job_queue",
        "cascade.models.presets.table",
    ],
)
def test_a_fresh_process_finds_no_torch(module: str) -> None:
    heavy = "{'torch', 'diffusers', 'transformers'}"
    script = f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
