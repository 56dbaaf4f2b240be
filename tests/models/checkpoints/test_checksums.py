"""`SHA256SUMS` as the program sha256sum writes and reads it, and the digests of the hub's cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from cascade.models.checkpoints.checksums import CHECKSUMS, checksum_faults, write_checksums

A = hashlib.sha256(b"a").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "a").write_bytes(b"a")
    return tmp_path


@pytest.mark.parametrize(
    "lines",
    [
        f"{A}  unet/a\n",
        f"{A} *unet/a\n",
        f"{A.upper()}  unet/a\n",
        f"{A}  ./unet/a\n",
        f"{A}  unet/a\r\n",
        f"\ufeff{A}  unet/a",
        f"# made by hand\n\n{A}  unet/a\n\n",
        f"SHA256 (unet/a) = {A}\n",
        f"{A} unet/a\n",
    ],
)
def test_lines_are_taken_as_sha256sum_takes_them(lines: str, folder: Path) -> None:
    (folder / CHECKSUMS).write_text(lines, newline="")
    assert checksum_faults(folder) == []
    (folder / "unet" / "a").write_bytes(b"b")
    assert checksum_faults(folder) == ["unet/a is damaged: its checksum differs"]
    (folder / "unet" / "a").unlink()
    assert checksum_faults(folder) == ["unet/a is missing"]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("", "SHA256SUMS holds no checksum"),
        ("# nothing\n", "SHA256SUMS holds no checksum"),
        (f"{A}  unet/a\n{A[:20]}\n", "SHA256SUMS: line 2 is not a checksum and a file's name"),
        (f"{A}  ../outside\n", "SHA256SUMS names ../outside, which is outside the checkpoint"),
        (f"{A}  /etc/passwd\n", "SHA256SUMS names /etc/passwd, which is outside the checkpoint"),
    ],
)
def test_a_wrong_list_is_a_fault(lines: str, fault: str, folder: Path) -> None:
    (folder / CHECKSUMS).write_text(lines)
    assert checksum_faults(folder) == [fault]


def test_odd_names_are_written_and_read_as_sha256sum_does(folder: Path) -> None:
    for name in ("two words", "back\\slash", "new\nline", "*star", "umlaut ä", "return\r"):
        (folder / "unet" / name).write_text(name)
    write_checksums(folder)
    assert checksum_faults(folder) == []
    program = shutil.which("sha256sum")
    assert program is not None
    files = sorted(str(file.relative_to(folder)) for file in (folder / "unet").iterdir())
    theirs = subprocess.run([program, *files], cwd=folder, capture_output=True, check=True).stdout
    assert sorted(theirs.splitlines()) == sorted((folder / CHECKSUMS).read_bytes().splitlines())
    (folder / CHECKSUMS).write_bytes(theirs)
    assert checksum_faults(folder) == []
    (folder / "unet" / "back\\slash").write_text("changed")
    assert checksum_faults(folder) == ["unet/back\\slash is damaged: its checksum differs"]


def test_files_of_the_hubs_cache_are_checked_by_their_names(folder: Path) -> None:
    blobs = folder.parent / f"{folder.name}-blobs"
    blobs.mkdir()
    git = hashlib.sha1(b"blob 2\0{}").hexdigest()
    for name, blob, content in (("weights", A, b"a"), ("config.json", git, b"{}")):
        (blobs / blob).write_bytes(content)
        (folder / "unet" / name).symlink_to(blobs / blob)
    assert checksum_faults(folder) == []
    (blobs / git).write_bytes(b"[]")
    (blobs / A).unlink()
    assert checksum_faults(folder) == [
        "unet/config.json is damaged: its checksum differs",
        f"unet/weights is missing (a link to {blobs / A}, which is not there)",
    ]
