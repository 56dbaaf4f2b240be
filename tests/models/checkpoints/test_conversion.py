"""Turning one network's tensors into another's, by the families that can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cascade.models.checkpoints.conversion import convert, initialise
from cascade.models.errors import CheckpointError


class Image(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, width, 3)
        self.mix = nn.Linear(width, width)


class Video(Image):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width)
        self.temporal = nn.Linear(width, width)


def test_what_fits_is_copied_and_what_is_new_keeps_its_first_values() -> None:
    image, video = Image(3, 8), Video(3, 8)
    first = video.temporal.weight.clone()
    conversion = initialise(video, image.state_dict())
    assert conversion.matched == ("conv_in.weight", "conv_in.bias", "mix.weight", "mix.bias")
    assert conversion.new == ("temporal.weight", "temporal.bias")
    assert conversion.left == ()
    assert torch.equal(video.mix.weight, image.mix.weight)
    assert torch.equal(video.temporal.weight, first)


def test_additional_input_channels_become_zeros() -> None:
    image, video = Image(3, 8), Video(5, 8)
    assert "conv_in.weight" in initialise(video, image.state_dict()).matched
    assert torch.equal(video.conv_in.weight[:, :3], image.conv_in.weight)
    assert (video.conv_in.weight[:, 3:] == 0).all()


def test_tensors_without_a_place_are_left_behind() -> None:
    conversion = initialise(Image(3, 8), Video(3, 8).state_dict() | {"mix.bias": torch.zeros(5)})
    assert conversion.left == ("mix.bias", "temporal.weight", "temporal.bias")


def test_a_target_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    with pytest.raises(CheckpointError, match="video exists already; choose a new folder"):
        convert(tmp_path / "image", tmp_path / "video")


def test_a_source_of_no_family_is_refused_by_every_family(tmp_path: Path) -> None:
    (tmp_path / "image" / "unet").mkdir(parents=True)
    (tmp_path / "image" / "unet" / "config.json").write_text(json.dumps({"flux_capacitor": 1}))
    with pytest.raises(CheckpointError, match=r"show1: .*flux_capacitor"):
        convert(tmp_path / "image", tmp_path / "video")
    assert not (tmp_path / "video").exists()


def test_a_source_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        convert(tmp_path / "nowhere", tmp_path / "video")
