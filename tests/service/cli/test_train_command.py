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


def train(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cascade", "train", *args],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
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
def test_video_files_that_cannot_be_used_are_counted_and_named(tmp_path: Path) -> None:
    frames = MovingShapes("train", 12, 160, 256)[0].frames
    write_mp4(Clip(frames[None], 8), tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "list.csv").write_text("video,caption\ngood.mp4,A Red Circle\nbad.mp4,nothing\n")
    options = ("--data", str(tmp_path / "list.csv"), "--stride", "2", "--steps", "1")
    done = train("autoencoder", "-o", str(tmp_path / "runs"), *options)
    assert done.returncode == 0, done.stderr
    assert "1 video files could not be used" in done.stdout
    assert "bad.mp4" in done.stdout


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
