"""The door of the package: what `import cascade` offers, and that it is quick."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import cascade
from cascade.models.clip import Clip, Latents
from cascade.models.errors import CheckpointError, InvalidParameter, ModelError

NAMES = {
    "Cascade",
    "CheckpointError",
    "Client",
    "ClientError",
    "Clip",
    "Execution",
    "InvalidParameter",
    "Latents",
    "ModelError",
    "__version__",
    "generate",
    "load",
}


def test_the_door_offers_these_names_and_no_others() -> None:
    assert set(cascade.__all__) == NAMES
    assert cascade.__all__ == sorted(cascade.__all__)
    assert dir(cascade) == cascade.__all__


def test_type_checkers_see_the_same_names() -> None:
    source = ast.parse(Path(str(cascade.__file__)).read_text())
    (typed,) = (node for node in source.body if isinstance(node, ast.If))
    names = {alias.asname for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names == NAMES - {"__version__"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_there(name: str) -> None:
    value = getattr(cascade, name)
    assert isinstance(value, str) if name == "__version__" else value.__name__ == name


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(cascade, name))


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'cascade' has no attribute 'conjure'"):
        _ = cascade.conjure


def test_the_names_are_those_of_the_floors() -> None:
    assert (cascade.Clip, cascade.Latents) == (Clip, Latents)
    assert issubclass(cascade.CheckpointError, cascade.ModelError)
    assert issubclass(cascade.InvalidParameter, cascade.ModelError)
    assert issubclass(cascade.InvalidParameter, ValueError)
    errors = (cascade.CheckpointError, cascade.InvalidParameter, cascade.ModelError)
    assert errors == (CheckpointError, InvalidParameter, ModelError)


def test_the_version_is_that_of_the_distribution() -> None:
    assert cascade.__version__ == version("cascade")


def test_a_name_is_imported_when_it_is_asked_for() -> None:
    script = """
import sys
import cascade
print("torch" in sys.modules, "httpx" in sys.modules)
cascade.Client
print("torch" in sys.modules)
cascade.Clip
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False False", "False", "True"]
