"""`cascade train` as people type it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cascade.models.clip import Clip
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.media.video import write_mp4
from tests.models.training.recordings import grays, record, record_sound


def train(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cascade", "train", *args],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.mark.slow
def test_all_stops_at_a_stage_that_is_not_finished_and_goes_on_with_its_own_run_only(tmp_path: Path) -> None:
    begun = train("all", "-o", str(tmp_path / "runs"), "--steps", "1")
    assert begun.returncode == 0, begun.stderr
    assert "keyframes: to be continued" in begun.stdout
    assert (tmp_path / "runs" / "keyframes" / "state").is_dir()
    assert not (tmp_path / "runs" / "interpolation").exists()
    other = train("keyframes", "-o", str(tmp_path / "runs"), "--steps", "1", "--seed", "1")
    assert other.returncode == 2
    assert "whose seed is 0, not 1" in " ".join(other.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_video_files_that_cannot_be_used_are_counted_and_named_at_the_start(tmp_path: Path) -> None:
    frames = MovingShapes("train", 12, 160, 256)[0].frames
    good = tmp_path / "good.mp4"
    write_mp4(Clip(frames[None], 8), good)
    record(tmp_path / "latin.mkv", grays(12), title="Et@ Caf@")
    content = (tmp_path / "latin.mkv").read_bytes()
    (tmp_path / "latin.mkv").write_bytes(content.replace(b"Et@ Caf@", "Eté Café".encode("latin-1")))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    record_sound(tmp_path / "sound.mp4")
    names = ("good.mp4", "latin.mkv", "bad.mp4", "sound.mp4")
    (tmp_path / "list.CSV").write_text(
        "Video;Caption\n" + "".join(f"{name};A Circle\n" for name in names), "utf-16"
    )
    options = ("--data", str(tmp_path / "list.CSV"), "--stride", "2")
    checked = train("autoencoder", *options, "--check")
    assert checked.returncode == 0, checked.stderr
    done = train("autoencoder", "-o", str(tmp_path / "runs"), *options, "--steps", "1")
    assert done.returncode == 0, done.stderr
    for said in (checked.stdout, done.stdout):
        assert "autoencoder: 2 of 4 videos can be used, with 2 captions" in said
        assert "2 video files could not be used" in said
        assert "sound.mp4: has sound alone, no video" in said
        assert "bad.mp4: cannot be read: Invalid data" in said
        assert str(tmp_path / "good.mp4") not in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("painting",), "keyframes, interpolation"),
        (("keyframes", "--preset", "wan"), "no recipe for preset"),
        (("keyframes", "--data", "nowhere.csv"), "does not exist"),
    ],
)
def test_what_cannot_be_trained_is_refused(args: tuple[str, ...], message: str, tmp_path: Path) -> None:
    refused = train(*args, "-o", str(tmp_path / "runs"))
    assert refused.returncode == 2
    assert message in " ".join(refused.stderr.replace("│", " ").split())


def test_shipped_weights_are_not_mixed_with_those_of_the_folder(tmp_path: Path) -> None:
    create_random_shapes(tmp_path / "checkpoints")
    shutil.rmtree(tmp_path / "checkpoints" / "shapes" / "super-resolution")
    refused = train("super-resolution", "-o", str(tmp_path), "--steps", "1")
    assert refused.returncode == 2
    assert "lacks shapes/super-resolution" in " ".join(refused.stderr.replace("│", " ").split())
