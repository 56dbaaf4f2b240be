"""Published feature networks: small ones in the published formats, made here, are called as the published ones are."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn

from cascade.models.errors import ModelError
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.families.shapes.moving_shapes import MovingShapes


@pytest.fixture
def frames() -> Tensor:
    """Red fading in: (12, 3, 20, 32)."""
    clip = torch.full((12, 3, 20, 32), -1.0)
    clip[:, 0] = torch.linspace(-1, 1, 12)[:, None, None]
    return clip


def test_published_networks_are_called_as_their_authors_say(published: Path, frames: Tensor) -> None:
    networks = FeatureNetworks.load(published)
    measurements = networks.measure(frames, "red")
    assert measurements.clip.tolist() == pytest.approx(
        [-2, 0, 0, 24, 224, 224]
    )  # red rises by 2; every frame is shown twice
    spread = (0, 2, 3, 5, 6, 8, 9, 11)  # eight of twelve
    assert measurements.frames[:, 0].tolist() == pytest.approx([round(255 * k / 11) for k in spread])
    assert measurements.classes.sum() == pytest.approx(1)
    assert -1 <= measurements.similarity <= 1
    assert 0.5 < measurements.consistency <= 1
    assert networks.measure(frames, "blue").similarity != measurements.similarity
    # Two clips apart by 1 in one colour's mean: 1² from VGG-16's stand-in.
    assert networks.perceptual_distance(-torch.ones_like(frames), frames[-1:].expand_as(frames)) == 1.0
    assert networks.perceptual_distance(frames, frames) == 0
    description = networks.description
    assert all(name in description for name in ("I3D", "Inception-v3", "VGG-16", "CLIP"))
    assert "each frame several times" in description
    assert "not comparable with the paper's Table 1" in description
    assert "small network" not in description


@pytest.mark.parametrize(("frames", "frames_for_i3d"), [(1, 16), (8, 16), (15, 30), (16, 16), (29, 29)])
def test_each_frame_of_a_short_clip_is_repeated_for_i3d(
    published: Path, frames: int, frames_for_i3d: int
) -> None:
    assert (
        FeatureNetworks.load(published).measure(torch.zeros(frames, 3, 20, 32), "red").clip[3]
        == frames_for_i3d
    )


def test_classes_and_certainty_are_means_over_the_frames_of_a_clip(published: Path) -> None:
    """Black, then red: softmax of (0, 0, 0) and of (1, 0, 0).

    p is 1/3 thrice, and e / (e + 2) = 0.5761 and twice 0.2119: sum p log p is -1.0986 and -0.9753.
    """
    clip = -torch.ones(2, 3, 20, 32)
    clip[1, 0] = 1
    measurements = FeatureNetworks.load(published).measure(clip, "red")
    assert measurements.classes.tolist() == pytest.approx([0.4547, 0.2726, 0.2726], abs=1e-4)
    assert measurements.certainty == pytest.approx((-1.0986 - 0.9753) / 2, abs=1e-4)


def test_clips_image_tower_runs_once(
    published: Path, frames: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = FeatureNetworks.load(published)
    assert networks.clip is not None
    spy = Mock(wraps=networks.clip.model.get_image_features)
    monkeypatch.setattr(networks.clip.model, "get_image_features", spy)
    networks.measure(frames, "red")
    assert spy.call_count == 1


def test_small_networks_replace_missing_ones_and_the_description_says_so(frames: Tensor) -> None:
    networks = FeatureNetworks.load(None)
    measurements = networks.measure(frames, "a red circle")
    assert measurements.clip.shape == (128,)
    assert measurements.classes.sum() == pytest.approx(1, rel=1e-4)
    assert "small network" in networks.description
    clips = MovingShapes("train", 8, 80, 128, seed=1)
    sharp = clips[0].frames
    blurred = nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    more = nn.functional.avg_pool2d(sharp, 13, stride=1, padding=6, count_include_pad=False)
    distance = networks.perceptual_distance
    assert distance(sharp, sharp) == 0
    assert 0 < distance(sharp, blurred) < distance(sharp, more)


def test_a_folder_without_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds none of"):
        FeatureNetworks.load(tmp_path)
