"""Video files as people bring them are used rightly, or refused with the reason."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cascade.models.errors import VideoFileError
from cascade.models.media.video import encode_webp
from cascade.models.training.video_frames import Sampling, check_video
from cascade.models.training.video_reading import read_clip
from cascade.models.training.video_source import open_video
from tests.models.training.recordings import (
    MATRICES,
    begin_later,
    cut_from,
    grays,
    record,
    record_sound,
    turn,
)

GREEN = (24, 200, 24)


def numbers(frames: Tensor) -> list[int]:
    """Which of `grays` the frames are."""
    return [round((float(frame.mean()) + 1) * 127.5 / 8) for frame in frames]


def colour(frames: Tensor, row: int, column: int) -> list[float]:
    """The colour of the first frame at a place, 0 to 255."""
    return [(float(value) + 1) * 127.5 for value in frames[0, :, row, column]]


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ("upright", (0, 0)),
        ("a quarter clockwise", (0, 1)),
        ("upside down", (1, 1)),
        ("a quarter anticlockwise", (1, 0)),
        ("mirrored", (0, 1)),
    ],
)
def test_a_video_is_shown_as_it_was_filmed(matrix: str, corner: tuple[int, int], tmp_path: Path) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = 255
    path = turn(record(tmp_path / "phone.mp4", [picture] * 2), MATRICES[matrix])
    height, width = (96, 64) if "quarter" in matrix else (64, 96)
    frames = read_clip(path, 2, height, width)
    bright = {
        (row, column)
        for row in (0, 1)
        for column in (0, 1)
        if frames[0, 0, height // 4 + row * height // 2, width // 4 + column * width // 2] > 0
    }
    assert bright == {corner}


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "matrix", "full"),
    [
        ("libx264", "yuv420p", 2, None),
        ("libx264", "yuv420p", 1, False),
        ("libx264", "yuv420p", 1, True),
        ("libx264", "yuv420p", 6, True),
        ("libx264", "yuv444p", 6, False),
        ("libx264", "yuv420p10le", 1, False),
        ("libx264", "yuv422p10le", 9, True),
        ("libx264rgb", "rgb24", 0, True),
        ("libvpx-vp9", "yuv420p", 1, False),
        ("mjpeg", "yuvj420p", 6, True),
    ],
)
def test_colours_are_those_that_the_file_names(
    codec: str, pix_fmt: str, matrix: int, full: bool | None, tmp_path: Path
) -> None:
    picture = np.full((48, 64, 3), GREEN, np.uint8)
    path = record(tmp_path / "a.mkv", [picture] * 2, codec=codec, pix_fmt=pix_fmt, matrix=matrix, full=full)
    assert colour(read_clip(path, 2, 16, 16), 8, 8) == pytest.approx(GREEN, abs=4)


def test_a_large_video_that_names_no_matrix_is_bt_709(tmp_path: Path) -> None:
    picture = np.full((720, 1280, 3), GREEN, np.uint8)
    path = record(tmp_path / "a.mp4", [picture] * 2)
    assert colour(read_clip(path, 2, 16, 16), 8, 8) == pytest.approx(GREEN, abs=4)


@pytest.mark.parametrize(("full", "brightest"), [(None, 219), (False, 255)])
def test_grays_of_limited_range_are_spread(full: bool | None, brightest: int, tmp_path: Path) -> None:
    """In gray files the range is full unless they say otherwise, as ffmpeg writes and reads them."""
    picture = np.full((48, 64, 3), 235 if full is False else 219, np.uint8)
    path = record(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="gray", matrix=2, full=full)
    assert colour(read_clip(path, 2, 16, 16), 8, 8) == pytest.approx([brightest] * 3, abs=3)


def test_what_is_transparent_lies_on_black(tmp_path: Path) -> None:
    picture = np.full((48, 64, 4), (*GREEN, 255), np.uint8)
    picture[:, :32, 3] = 0
    path = record(tmp_path / "a.mov", [picture] * 2, codec="png", pix_fmt="rgba", matrix=2)
    frames = read_clip(path, 2, 48, 64)
    assert colour(frames, 24, 10) == pytest.approx([0, 0, 0], abs=2)
    assert colour(frames, 24, 54) == pytest.approx(GREEN, abs=2)


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    """64x48 of pixels twice as wide as high shows 128x48: its middle square is 24 columns wide, all of them white."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 20:44] = 255
    path = record(tmp_path / "a.mp4", [picture] * 2, pixel_aspect=Fraction(2))
    assert float(read_clip(path, 2, 24, 24)[:, :, :, 1:-1].min()) > 0.8
    turned = read_clip(turn(path, MATRICES["a quarter clockwise"]), 2, 24, 24)
    assert float(turned[:, :, 1:-1].min()) > 0.8


def test_sizes_may_be_odd(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", grays(4, 33, 47), pix_fmt="yuv444p")
    assert read_clip(path, 4, 20, 32).shape == (4, 3, 20, 32)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "avi", "ts", "flv", "gif", "h264"])
def test_every_nth_frame_is_taken_whatever_the_container(ending: str, tmp_path: Path) -> None:
    """Also where times are rounded to milliseconds or hundredths, begin late, or are missing."""
    codec = {"webm": "libvpx-vp9", "gif": "gif", "avi": "mpeg4"}.get(ending, "libx264")
    path = record(
        tmp_path / f"a.{ending}", grays(24), codec=codec, pix_fmt="rgb8" if ending == "gif" else "yuv420p"
    )
    assert numbers(read_clip(path, 8, 16, 16, 3)) == pytest.approx(list(range(0, 24, 3)), abs=1 / 2)
    sought = numbers(read_clip(path, 5, 16, 16, 3, np.random.default_rng(5)))
    assert np.diff(sought).tolist() == [3] * 4
    assert sought[0] > 0


def test_frames_at_uneven_times_are_sampled_by_time(tmp_path: Path) -> None:
    """In 40ths of a second; every half second shows what was last drawn then."""
    times = [0, 1, 2, 3, 40, 41, 42, 80, 90, 100, 110, 120]
    path = record(tmp_path / "a.mp4", grays(12), rate=10, times=times, clock=40)
    assert numbers(read_clip(path, 6, 16, 16, fps=2)) == [0, 3, 4, 6, 7, 9]
    assert numbers(
        read_clip(record(tmp_path / "a.mkv", grays(12), times=times, clock=40), 6, 16, 16, fps=2)
    ) == [*(0, 3, 4, 6, 7, 9)]


def test_videos_of_different_rates_are_alike_by_time(tmp_path: Path) -> None:
    slow = record(tmp_path / "slow.mp4", grays(8), rate=8)
    fast = record(tmp_path / "fast.mp4", [p for p in grays(8) for _ in range(3)], rate=24)
    assert (
        numbers(read_clip(slow, 4, 16, 16, fps=4))
        == numbers(read_clip(fast, 4, 16, 16, fps=4))
        == [0, 2, 4, 6]
    )


def test_what_an_editor_trimmed_is_not_shown(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", grays(24), rate=8)
    with open_video(path) as source:
        base = source.stream.time_base
    assert base is not None
    begin_later(path, int(5 / 8 / base))
    assert numbers(read_clip(path, 5, 16, 16, 2)) == [5, 7, 9, 11, 13]
    with pytest.raises(VideoFileError, match="has 19 frames; 20 are needed"):
        read_clip(path, 20, 16, 16)


def test_a_recording_that_begins_amid_frames_is_used_from_its_first_whole_one(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole.ts", grays(24), options={"g": "8", "sc_threshold": "0", "bf": "0"})
    path = cut_from(whole, tmp_path / "cut.ts", 3)
    assert numbers(read_clip(path, 5, 16, 16, 2)) == [8, 10, 12, 14, 16]
    for seed in range(4):
        taken = numbers(read_clip(path, 5, 16, 16, 2, np.random.default_rng(seed)))
        assert taken[0] >= 8
        assert np.diff(taken).tolist() == [2] * 4


def test_a_long_file_is_sought(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", grays(600, 16, 16, 0), rate=10, codec="mpeg4", options={"g": "20"})
    with open_video(path) as source:
        first = next(source.frames_from(45.05))
    assert 43 <= first.begins <= 45.05


def test_a_file_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 60, (24, 48, 64, 3), np.uint8)
    pictures = [picture // 2 + more for picture, more in zip(grays(24), noise, strict=True)]
    for name, options in (("a.mkv", {}), ("a.mp4", {"movflags": "faststart"})):
        path = record(tmp_path / name, pictures, container_options=options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        for seed in range(3):
            assert read_clip(path, 5, 16, 16, 1, np.random.default_rng(seed)).shape == (5, 3, 16, 16)
        with pytest.raises(VideoFileError, match=r"has 1. frames; 24 are needed"):
            check_video(path, Sampling(24))


def test_a_title_in_another_encoding_does_not_matter(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", grays(4), title="Et@ Caf@")
    path.write_bytes(path.read_bytes().replace(b"Et@ Caf@", "Eté Café".encode("latin-1")))
    assert numbers(read_clip(path, 4, 16, 16)) == [0, 1, 2, 3]


def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole.mp4", grays(8))
    (tmp_path / "headless.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "folder.mp4").mkdir()
    record_sound(tmp_path / "sound.mp4")
    (tmp_path / "moving.webp").write_bytes(encode_webp(torch.from_numpy(np.stack(grays(8))), 8))
    hdr = record(
        tmp_path / "hdr.mkv",
        grays(4),
        matrix=9,
        pix_fmt="yuv420p10le",
        options={"x264-params": "transfer=smpte2084"},
    )
    reasons = {
        "headless.mp4": "cannot be read|holds no frames",
        "empty.mp4": "is empty",
        "text.mp4": "cannot be read: Invalid data",
        "folder.mp4": "is not a file",
        "gone.mp4": "does not exist",
        "sound.mp4": "has sound alone",
        "moving.webp": "is an animated WebP",
        hdr.name: r"is HDR \(PQ\)",
    }
    for name, reason in reasons.items():
        with pytest.raises(VideoFileError, match=f"^{name} ({reason})"):
            read_clip(tmp_path / name, 4, 16, 16)
        with pytest.raises(VideoFileError, match=f"^({reason})"):
            check_video(tmp_path / name, Sampling(4))
