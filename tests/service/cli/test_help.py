"""Help and completion name `cascade`, however it was started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.service.conftest import Invoke


def test_help_names_the_command(invoke: Invoke) -> None:
    command = [sys.executable, "-m", "cascade", "keys", "create", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage: cascade keys create [OPTIONS]" in done.stdout
    assert "python" not in done.stdout
    assert "Usage: cascade list" in invoke("list", "--help").stdout


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("cascade dow", ["download"]),
        ("cascade generate --preset sha", ["shapes"]),
        ("cascade list --status can", ["cancelled"]),
    ],
)
def test_a_shell_completes_commands_and_names(line: str, completed: list[str], invoke: Invoke) -> None:
    last = str(len(line.split()) - 1)
    done = invoke(_CASCADE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=last)
    assert done.stdout.split() == completed
