"""Clips and latents: their axes, their files, their videos one by one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

from cascade.models.clip import Clip, Latents


def grey_clip(videos: int = 1) -> Clip:
    """Five frames of 32x16, each of one grey that grows from black to white; a second video is all black."""
    frames = torch.linspace(-1, 1, 5).view(1, 5, 1, 1, 1).expand(1, 5, 3, 16, 32)
    return Clip(torch.cat([frames, *[torch.full_like(frames, -1.0)] * (videos - 1)]), 8)


def test_pixel_values_become_8_bits_clamped() -> None:
    clip = Clip(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).view(1, 5, 1, 1, 1), 8)
    assert clip.to_uint8().flatten().tolist() == [0, 0, 128, 255, 255]


def test_a_saved_clip_is_a_video_that_plays(tmp_path: Path) -> None:
    path = grey_clip(videos=2).save(tmp_path / "some" / "folder" / "clip.mp4")
    assert path == tmp_path / "some" / "folder" / "clip.mp4"
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert (stream.width, stream.height, stream.average_rate) == (32, 16, Fraction(8))
    greys = [float(frame.mean()) for frame in frames]
    assert greys == pytest.approx([0, 64, 128, 191, 255], abs=4)  # the first video of the batch


def test_a_clip_is_saved_under_a_name_as_text_too(tmp_path: Path) -> None:
    assert grey_clip().save(str(tmp_path / "CLIP.MP4")) == tmp_path / "CLIP.MP4"
    assert (tmp_path / "CLIP.MP4").is_file()


@pytest.mark.parametrize("name", ["clip.avi", "clip", "clip.mp4.txt"])
def test_a_name_with_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf'"{name}" does not end in \.mp4'):
        grey_clip().save(tmp_path / "folder" / name)
    assert list(tmp_path.iterdir()) == []


def test_a_batch_splits_into_its_videos() -> None:
    first, second = grey_clip(videos=2).split()
    assert first.frames.shape == second.frames.shape == (1, 5, 3, 16, 32)
    assert (first.fps, second.fps) == (8, 8)
    assert torch.equal(first.frames, grey_clip().frames)
    assert (second.frames == -1).all()


def test_a_batch_of_latents_splits_into_its_videos() -> None:
    latents = torch.randn(3, 2, 4, 2, 3)
    parts = Latents(latents, 4, "some/autoencoder").split()
    assert torch.equal(torch.cat([part.latents for part in parts]), latents)
    assert {(part.fps, part.autoencoder, part.latents.shape[0]) for part in parts} == {
        (4, "some/autoencoder", 1)
    }


@pytest.mark.parametrize(
    "values",
    [torch.zeros(5, 3, 16, 32), torch.zeros(1, 5, 3, 16, 32, dtype=torch.uint8)],
    ids=["no batch", "integers"],
)
def test_other_axes_and_integers_are_refused(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="a clip: expected a float tensor"):
        Clip(values, 8)
    with pytest.raises(ValueError, match="latents: expected a float tensor"):
        Latents(values, 8, "some/autoencoder")
