"""How this command line is called: by its name, wherever that works."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

PROGRAM = "cascade"


def own_command() -> str:
    """Return what a shell in this folder starts this command line by: its name, or where it is if that is not on the path."""
    own, found = Path(sys.executable).with_name(PROGRAM), shutil.which(PROGRAM)
    if not own.is_file():
        return f"{shlex.quote(sys.executable)} -m {PROGRAM}"
    if found is not None and Path(found).samefile(own):
        return PROGRAM
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))
