"""Imports go down only, and the processes that need no torch never import it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("models", "workers", "service")
ABOVE = {"models": ("workers", "service"), "workers": ("service",)}
HEAVY = ("torch", "diffusers", "transformers")
WITH_TORCH = {
    "workers/worker.py": "runs stages",
    "workers/stage_task.py": "runs stages",
    "workers/previews.py": "shows what runs",
    "workers/storage/serialization.py": "turns outputs of stages into bytes",
}
"""The files of the upper floors that may import torch when they are imported; others do it within a function."""


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Give each name that a file imports in full, and whether it does so as it is imported itself."""
    tree = ast.parse(file.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative imports are not used here"
            yield from ((f"{node.module}.{alias.name}", id(node) not in inside) for alias in node.names)


def files_of(floor: str) -> list[Path]:
    files = sorted((ROOT / floor).rglob("*.py"))
    assert len(files) > 10
    return files


@pytest.mark.parametrize("floor", ABOVE)
def test_a_floor_imports_nothing_above_it(floor: str) -> None:
    above = tuple(f"cascade.{name}." for name in ABOVE[floor])
    upward = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files_of(floor)
        for name, _ in imports(file)
        if f"{name}.".startswith(above)
    ]
    assert upward == []


@pytest.mark.parametrize("floor", ABOVE)
def test_a_floor_does_not_go_out_by_the_door(floor: str) -> None:
    """The door opens all floors: what is below it imports the modules themselves, and of the door the version alone."""
    outward = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files_of(floor)
        for name, _ in imports(file)
        if name.split(".")[0] == "cascade"
        if name != "cascade.__version__" and name.split(".")[1:2] not in ([each] for each in FLOORS)
    ]
    assert outward == []


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_are_imported_by_the_one_name_of_the_package(floor: str) -> None:
    bare = [
        f"{file.relative_to(ROOT)} imports {name}; write cascade.{name}"
        for file in files_of(floor)
        for name, _ in imports(file)
        if name.split(".")[0] in FLOORS
    ]
    assert bare == []


@pytest.mark.parametrize("floor", ["workers", "service"])
def test_only_what_runs_stages_or_stores_tensors_imports_torch(floor: str) -> None:
    direct = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files_of(floor)
        for name, at_import in imports(file)
        if at_import and name.split(".")[0] in HEAVY and str(file.relative_to(ROOT)) not in WITH_TORCH
    ]
    assert direct == []


def loaded(*modules: str) -> list[str]:
    """Import modules in a fresh process; return which of the heavy libraries came along."""
    script = f"import sys, {', '.join(modules)}; print(*sorted({set(HEAVY)} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "module",
    [
        "cascade",
        "cascade.service.gateway",
        "cascade.service.client",
        "cascade.service.cli.main",
        "cascade.workers.job_queue",
        "cascade.workers.reconciler",
        "cascade.workers.housekeeper",
        "cascade.models.presets.table",
        "cascade.models.families.registry",
    ],
)
def test_a_process_without_stages_has_no_torch(module: str) -> None:
    assert loaded(module) == []


def test_no_other_module_of_the_workers_brings_torch_along() -> None:
    modules = [
        "cascade." + ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files_of("workers")
        if str(file.relative_to(ROOT)) not in WITH_TORCH
    ]
    assert loaded(*modules) == []
