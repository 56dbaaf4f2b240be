"""What can be wrong with any file of a checkpoint before its content is looked at, and reading its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cascade.models.errors import CheckpointError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
WEB_PAGES = (b"<!doctype", b"<html", b"<?xml")
PARTIAL_ENDINGS = (".incomplete", ".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp")


def check_file(file: Path) -> None:
    """Find what a copy, a clone or a download can leave in place of a file.

    Raises:
        CheckpointError: the file is missing, a dangling link, empty, a Git LFS pointer, a web page or not readable.
    """
    if not file.is_file():
        raise CheckpointError(f"{file} is missing{explain_missing(file)}")
    try:
        with file.open("rb") as stream:
            head = stream.read(128)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {one_line(error)}") from error
    if not head:
        raise CheckpointError(f"{file} is empty")
    if head.startswith(LFS_POINTER):
        raise CheckpointError(f"{file} is a Git LFS pointer, not the file itself; `git lfs pull` fetches it")
    if head.lstrip().lower().startswith(WEB_PAGES):
        raise CheckpointError(f"{file} is a web page, not the file itself; download it again")


def explain_missing(file: Path) -> str:
    """Say in brackets why a file may be missing; nothing where that is not known."""
    if file.is_symlink():
        return f" (a link to {file.readlink()}, which is not there)"
    if file.is_dir():
        return " (a folder has its name)"
    partial = next(
        (name for end in PARTIAL_ENDINGS if file.with_name(name := file.name + end).exists()), None
    )
    return "" if partial is None else f" (only partly downloaded: {partial})"


def is_partial(name: str) -> bool:
    """Return whether a file's name is one that programs give to what they have not downloaded whole."""
    return name.endswith(PARTIAL_ENDINGS)


def read_json(file: Path) -> dict[str, Any]:
    """Raises CheckpointError if the file is missing or not a JSON object."""
    check_file(file)
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not JSON: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} is not a JSON object")
    return content


def one_line(error: object, limit: int = 300) -> str:
    """Return an error's message in one line of at most `limit` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
