"""Files that people ask for: whether they can be written is found out before the work, and they appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cascade.models.errors import OutputError

SMALLEST_ROOM_BYTES = 1 << 20


def check_file(path: Path, room_bytes: int = SMALLEST_ROOM_BYTES) -> None:
    """Check that a file can be written, or replaced; missing folders are made.

    Raises:
        OutputError: it cannot, or the disk has less room.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no ordinary file")
    check_folder(path.parent, room_bytes)


def check_folder(folder: Path, room_bytes: int = SMALLEST_ROOM_BYTES) -> None:
    """Check that files can be written into a folder, which is made where it is missing.

    Raises:
        OutputError: they cannot, or the disk has less room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".try-") as trial:
            trial.write(b"\0")
            trial.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}") from error
    if free < room_bytes:
        raise OutputError(
            f"the disk of {folder} has {free / 2**20:.0f} MiB left, and about {room_bytes / 2**20:.0f} MiB are needed; make "
            "room, or choose a folder on another disk"
        )


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write, of the same ending, that takes its place at the end, and is gone after a fault.

    Raises:
        OutputError: it cannot be written.
    """
    fresh = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield fresh
        fresh.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there. Raises OutputError where it cannot be written."""
    with written_whole(path) as fresh:
        fresh.write_bytes(content)
