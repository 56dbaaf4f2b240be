"""Whether files can be written is found out before the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cascade.models.errors import OutputError
from cascade.models.output_files import check_file, check_folder, write_whole, written_whole


def test_missing_folders_are_made_and_nothing_is_left_behind(tmp_path: Path) -> None:
    check_file(tmp_path / "a" / "b" / "video.mp4")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path, "is a folder"),
        (Path("/dev/full"), "is no ordinary file"),
        (tmp_path / "file" / "video.mp4", "cannot be written to"),
        (Path("/proc/video.mp4"), "cannot be written to"),
    ):
        with pytest.raises(OutputError, match=reason):
            check_file(path)


def test_a_full_disk_is_found_out(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(OutputError, match=r"has \d+ MiB left, and about \d+ MiB are needed"):
        check_folder(tmp_path, 2 * free + 1)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_whole(target, b"before")
    with pytest.raises(RuntimeError), written_whole(target) as fresh:
        fresh.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]
