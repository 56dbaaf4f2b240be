"""Temporal layers begin as the identity, mix the frames of a video alone, and can be switched off."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cascade.models.layers.temporal import (
    TemporalConvolution,
    TemporalLayer,
    TemporalTransformer,
    enable_temporal,
    is_temporal,
)

LAYERS = pytest.mark.parametrize("kind", ["convolution", "transformer"])


def layer_of(kind: str) -> TemporalLayer:
    torch.manual_seed(0)
    if kind == "convolution":
        return TemporalConvolution(8, norm_num_groups=4).eval()
    return TemporalTransformer(8, 2, 4, norm_num_groups=4).eval()


def learned(kind: str) -> TemporalLayer:
    """A layer whose every parameter has some value."""
    layer = layer_of(kind)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer


@LAYERS
def test_a_fresh_layer_is_the_identity(kind: str) -> None:
    hidden = torch.randn(6, 8, 2, 3)
    with torch.inference_mode():
        assert torch.equal(layer_of(kind)(hidden, 3), hidden)


@LAYERS
def test_a_learned_layer_mixes_the_frames_of_one_video_alone(kind: str) -> None:
    layer, hidden = learned(kind), torch.randn(6, 8, 2, 3)  # two videos of three frames
    changed = hidden.clone()
    changed[2] += torch.randn(8, 2, 3)  # the first video's last frame
    with torch.inference_mode():
        difference = (layer(hidden, 3) - layer(changed, 3)).abs().amax(dim=(1, 2, 3))
    assert (difference[:3] > 1e-4).all()
    assert (difference[3:] == 0).all()


@LAYERS
def test_a_layer_that_is_switched_off_is_the_identity(kind: str) -> None:
    layer, hidden = learned(kind), torch.randn(6, 8, 2, 3)
    network = nn.Sequential(nn.Linear(1, 1), nn.Sequential(layer))
    with torch.inference_mode():
        enable_temporal(network, enabled=False)
        assert torch.equal(layer(hidden, 3), hidden)
        enable_temporal(network, enabled=True)
        assert not torch.equal(layer(hidden, 3), hidden)


@pytest.mark.parametrize(
    ("name", "temporal"),
    [
        ("down_blocks.0.temp_convs.0.conv1.0.weight", True),
        ("mid_block.temp_attentions.0.proj_in.weight", True),
        ("transformer_in.norm.bias", True),
        ("mid_block.attentions.0.to_q.weight", False),
        ("conv_in.weight", False),
    ],
)
def test_temporal_parameters_are_known_by_their_names(name: str, temporal: bool) -> None:
    assert is_temporal(name) == temporal
