"""`make demo PROMPT="…" PRESET=…`: the prompt reaches the command as one argument, whatever is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CASCADE = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def make_demo(folder: Path, *variables: str, **env: str) -> list[str]:
    """Run the target with a command that prints its arguments, and an environment that is up to date."""
    command, stamp = folder / "cascade", folder / "installed"
    command.write_text(CASCADE)
    command.chmod(0o700)
    stamp.touch()
    os.utime(stamp, (time.time() + 1, time.time() + 1))
    make = [
        "make",
        "-s",
        "-f",
        str(ROOT / "Makefile"),
        "-C",
        str(ROOT),
        "demo",
        f"BIN={folder}",
        f"STAMP={stamp}",
    ]
    done = subprocess.run(
        [*make, *variables], env=os.environ | env, capture_output=True, text=True, check=True
    )
    arguments: list[str] = json.loads(done.stdout.splitlines()[-1])
    return arguments


@pytest.mark.parametrize(
    "prompt",
    [
        "a red circle",
        'a "red" circle\'s way',
        "$HOME $(shell touch FOLDER/hacked) `touch FOLDER/hacked` $$ $(touch FOLDER/hacked)",
        "x; touch FOLDER/hacked & true || false > FOLDER/hacked",
        "--seed",
        "two\nlines # and more \\",
        "ein Ball, größer als 100 % ☃",
    ],
)
def test_a_prompt_is_one_argument_whatever_is_in_it(prompt: str, tmp_path: Path) -> None:
    prompt = prompt.replace("FOLDER", str(tmp_path))
    assert make_demo(tmp_path, f"PROMPT={prompt}") == ["demo", "--", prompt]
    assert {path.name for path in tmp_path.iterdir()} == {"cascade", "installed"}


def test_a_preset_is_handed_on_and_nothing_is_where_nothing_is_given(tmp_path: Path) -> None:
    assert make_demo(tmp_path, "PRESET=wan; x", "PROMPT=a b") == ["demo", "--preset=wan; x", "--", "a b"]
    assert make_demo(tmp_path, "PROMPT=") == ["demo", "--"]
    assert make_demo(tmp_path, PROMPT="%n@%m of a shell") == ["demo", "--"]
