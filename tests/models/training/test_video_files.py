"""Clips from video files with captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cascade.models.errors import VideoFileError
from cascade.models.media.video import encode_mp4
from cascade.models.training.video_files import VideoFiles


def video(path: Path, frames: int, width: int = 64, height: int = 48) -> None:
    """Frame k is gray of brightness 8 k; a red band left and right, as wide as a crop to 1:1 cuts away."""
    clip = torch.zeros(frames, height, width, 3, dtype=torch.uint8)
    clip += (8 * torch.arange(frames, dtype=torch.uint8))[:, None, None, None]
    band = (width - height) // 2
    clip[:, :, :band] = clip[:, :, width - band :] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    path.write_bytes(encode_mp4(clip, 8))


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        video(tmp_path / f"{name}.mp4", 24)
    video(tmp_path / "short.mp4", 4)
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    rows = [
        {"video": f"{name}.mp4", "caption": f"clip {name}"} for name in ("a", "b", "c", "short", "broken")
    ]
    file = tmp_path / "list.jsonl"
    file.write_text("\n".join(map(json.dumps, [*rows, {"video": "gone.mp4", "caption": "gone"}])))
    return file


def test_clips_are_cropped_strided_and_in_range(listing: Path) -> None:
    clips = VideoFiles(listing, frames=5, height=16, width=16, stride=3)
    for index in range(8):
        sample = clips[index]
        assert sample.frames.shape == (5, 3, 16, 16)
        assert sample.frames.is_contiguous()
        assert sample.frames.min() >= -1
        assert sample.frames.max() <= 1
        red, green = sample.frames[:, 0, 8, :], sample.frames[:, 1, 8, :]
        assert (red - green).abs().max() < 0.4  # the red bands are cut away
        brightness = (sample.frames.mean(dim=(1, 2, 3)) + 1) * 127.5
        assert torch.allclose(brightness.diff(), torch.full((4,), 24.0), atol=4)


def test_bad_files_are_skipped_and_counted(listing: Path) -> None:
    clips = VideoFiles(listing, frames=5, height=16, width=16)
    captions = {clips[index].caption for index in range(12)}
    assert captions == {"clip a", "clip b", "clip c"}
    skipped = {path.name for index in range(12) for path in clips[index].skipped}
    assert skipped == {"short.mp4", "broken.mp4", "gone.mp4"}


def test_a_whole_picture_is_squeezed_where_it_is_not_to_be_cropped(listing: Path) -> None:
    frames = VideoFiles(listing, frames=5, height=16, width=16, cropped=False)[0].frames
    left, middle = frames[:, :, 8, 0], frames[:, :, 8, 8]
    assert (left[:, 0] - left[:, 1]).min() > 1  # the red band is still there
    assert (middle[:, 0] - middle[:, 1]).abs().max() < 0.4


def test_a_list_with_several_captions_a_video_has_every_video_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        video(tmp_path / f"{name}.mp4", 8)
    rows = [{"video": f"{name}.mp4", "caption": f"{name}{k}"} for name in ("a", "b") for k in range(3)]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    clips = VideoFiles(tmp_path / "list.jsonl", frames=5, height=16, width=16)
    assert {clips.caption(index) for index in range(6)} == {"a0", "a1", "a2", "b0", "b1", "b2"}
    assert {clips.one_each().caption(index) for index in range(2)} == {"a0", "b0"}


def test_every_pass_shows_every_video_and_a_resumed_run_the_same(listing: Path) -> None:
    first = VideoFiles(listing, frames=5, height=16, width=16, seed=3)
    passes = [[first.caption(index) for index in range(start, start + 6)] for start in (0, 6, 12)]
    assert all(
        set(captions) == {"clip a", "clip b", "clip c", "clip short", "clip broken", "gone"}
        for captions in passes
    )
    assert len(set(map(tuple, passes))) > 1
    clips = [first[index] for index in range(8)]
    resumed = VideoFiles(listing, frames=5, height=16, width=16, seed=3)
    for index in (7, 4):
        assert torch.equal(resumed[index].frames, clips[index].frames)
        assert resumed[index].caption == clips[index].caption
    other = VideoFiles(listing, frames=5, height=16, width=16, seed=4)
    assert any(not torch.equal(other[index].frames, clips[index].frames) for index in range(8))


def test_a_list_of_nothing_but_bad_files_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("video,caption\ngone.mp4,gone\n")
    clips = VideoFiles(tmp_path / "list.csv", frames=5, height=16, width=16)
    with pytest.raises(VideoFileError, match=r"100 videos after another of .* cannot be used"):
        clips[0]


def test_a_csv_is_read_too(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4", 8)
    (tmp_path / "list.csv").write_text('video,caption\na.mp4,"a gray, brightening square"\n')
    sample = VideoFiles(tmp_path / "list.csv", frames=8, height=24, width=32)[0]
    assert sample.caption == "a gray, brightening square"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "no videos"),
        ('{"video": "../a.mp4", "caption": "x"}', "leads out"),
        ('{"video": "/etc/passwd", "caption": "x"}', "leads out"),
        ('{"video": "a.mp4"}', "needs a video and a caption"),
        ('{"video": "a.mp4"', "line 1 of .* is not JSON"),
    ],
)
def test_a_bad_list_is_refused(content: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    file.write_text(content)
    with pytest.raises(VideoFileError, match=fault):
        VideoFiles(file, frames=5, height=16, width=16)
