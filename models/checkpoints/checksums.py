"""Checksums of a checkpoint's files: `SHA256SUMS`, as the program sha256sum writes and reads it, and the hub's cache."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

CHECKSUMS = "SHA256SUMS"
LINE = re.compile(rb"(?P<escaped>\\)?(?P<digest>[0-9a-fA-F]{64})[ \t][ *]?(?P<name>.+)", re.DOTALL)
TAGGED_LINE = re.compile(rb"(?P<escaped>\\)?SHA256 \((?P<name>.+)\) = (?P<digest>[0-9a-fA-F]{64})", re.DOTALL)
ESCAPES = {b"\\\\": b"\\", b"\\n": b"\n", b"\\r": b"\r"}


def checksum_faults(path: Path) -> list[str]:
    """Find files that differ from `SHA256SUMS`, or, in the hub's cache, from the digest they are named by."""
    faults = _listed_faults(path) if (path / CHECKSUMS).is_file() else []
    for file in sorted(path.rglob("*")):
        if not file.is_symlink():
            continue
        name = str(file.relative_to(path))
        if not file.exists():
            faults.append(f"{name} is missing (a link to {file.readlink()}, which is not there)")
        elif file.is_file() and not _has_digest_of_name(file.resolve()):
            faults.append(f"{name} is damaged: its checksum differs")
    return faults


def write_checksums(path: Path) -> None:
    """Write `SHA256SUMS` of all files of a checkpoint."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    (path / CHECKSUMS).write_bytes(b"".join(_line(file, path) for file in files))


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _listed_faults(path: Path) -> list[str]:
    faults, listed = [], 0
    content = (path / CHECKSUMS).read_bytes().removeprefix(b"\xef\xbb\xbf")
    for number, ended in enumerate(content.split(b"\n"), 1):
        line = ended.removesuffix(b"\r")
        if not line.strip() or line.startswith(b"#"):
            continue
        found = LINE.fullmatch(line) or TAGGED_LINE.fullmatch(line)
        if found is None:
            faults.append(f"{CHECKSUMS}: line {number} is not a checksum and a file's name")
            continue
        listed += 1
        name = os.fsdecode(_unescape(found["name"]) if found["escaped"] else found["name"])
        fault = _file_fault(path, name, found["digest"].decode().lower())
        faults += [fault] if fault else []
    return faults if listed or faults else [f"{CHECKSUMS} holds no checksum"]


def _file_fault(path: Path, name: str, digest: str) -> str | None:
    file = path / name
    shown = (
        str(Path(name)).encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")
    )
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return f"{CHECKSUMS} names {shown}, which is outside the checkpoint"
    if not file.is_file():
        return f"{shown} is missing"
    try:
        return None if sha256(file) == digest else f"{shown} is damaged: its checksum differs"
    except OSError as error:
        return f"{shown} cannot be read: {error.strerror}"


def _unescape(name: bytes) -> bytes:
    return re.sub(rb"\\[\\nr]", lambda found: ESCAPES[found[0]], name)


def _line(file: Path, path: Path) -> bytes:
    name = os.fsencode(file.relative_to(path))
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"" if escaped == name else b"\\"
    return mark + sha256(file).encode() + b"  " + escaped + b"\n"


def _has_digest_of_name(blob: Path) -> bool:
    """Compare a file of the hub's cache with its name: SHA-256 of large files, git's SHA-1 of the others."""
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return sha256(blob) == blob.name
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return digest.hexdigest() == blob.name
    return True
