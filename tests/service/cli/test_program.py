"""How the command line names itself: so that what it says can be run as it stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cascade.service.cli.program import own_command


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs with a Python and the command, which is not on the path."""
    folder = tmp_path / "a venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "cascade").touch(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/usr/bin")
    return folder


def test_it_is_named_where_the_name_works(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "cascade").touch(mode=0o700)
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{other}")
    assert own_command() == "cascade"
    monkeypatch.setenv("PATH", f"{other}{os.pathsep}{own}")
    assert own_command() == f"'{own}/cascade'"  # the name would start another one


def test_elsewhere_it_is_where_it_is(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_command() == f"'{own}/cascade'"
    monkeypatch.chdir(tmp_path)
    assert own_command() == "'a venv/bin/cascade'"
    (own / "cascade").unlink()
    assert own_command() == f"'{own}/python' -m cascade"
