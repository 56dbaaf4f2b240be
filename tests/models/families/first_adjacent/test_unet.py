"""The UNet has as many parameters as the thesis says, and its temporal modules learn alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from cascade.models.families.first_adjacent.unet import FirstAdjacentConfig, FirstAdjacentUNet
from cascade.models.layers.temporal import enable_temporal, is_temporal
from tests.models.network_checks import check_begins_as_image_model

SMALL = FirstAdjacentConfig(
    down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
    up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
    block_out_channels=(32, 64),
    layers_per_block=1,
    attention_head_dim=8,
    norm_num_groups=16,
    cross_attention_dim=24,
)
STABLE_DIFFUSION = 859_520_964


@pytest.mark.parametrize(
    ("convolutions", "trainable"),
    [
        # Temporal convolutions of 5 x 320, 5 x 640 and 12 x 1280 channels: width 3, and a bias;
        # 66,682,560 in all. Before each of the four stands a GroupNorm, 40,320 in all.
        # Attention of 5 x 320, 5 x 640 and 6 x 1280: LayerNorm, four projections and one bias, 49,599,040 in all.
        (4, 4 * (66_682_560 + 40_320) + 49_599_040),
        (1, 66_682_560 + 49_599_040),
    ],
    ids=["as counted", "as drawn"],
)
def test_the_trainable_parameters_are_those_of_the_thesis(convolutions: int, trainable: int) -> None:
    with torch.device("meta"):
        network = FirstAdjacentUNet(FirstAdjacentConfig(temporal_convolutions=convolutions))
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    assert sum(size for name, size in sizes.items() if is_temporal(name)) == trainable
    assert sum(sizes.values()) == STABLE_DIFFUSION + trainable


def test_the_thesis_rounds_these_to_316_million_and_1_2_billion() -> None:
    with torch.device("meta"):
        network = FirstAdjacentUNet(FirstAdjacentConfig())
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    assert round(sum(size for name, size in sizes.items() if is_temporal(name)) / 1e6, 2) == 316.49
    assert round(sum(sizes.values()) / 1e9, 3) == 1.176


def test_every_level_has_eight_heads() -> None:
    with torch.device("meta"):
        network = FirstAdjacentUNet(FirstAdjacentConfig())
    heads = [module.heads for module in network.modules() if hasattr(module, "heads")]
    assert set(heads) == {8}
    assert len(heads) == 16 * 3  # of 16 transformers the self- and the cross-attention, and the one over time


@pytest.mark.parametrize("convolutions", [4, 1])
def test_new_temporal_modules_leave_the_image_model_as_it_was(convolutions: int) -> None:
    network = FirstAdjacentUNet(replace(SMALL, temporal_convolutions=convolutions))
    check_begins_as_image_model(network, SMALL.in_channels, SMALL.cross_attention_dim)


def test_trained_attention_carries_the_first_frame_to_the_last() -> None:
    network = FirstAdjacentUNet(SMALL).eval()
    for name, parameter in network.named_parameters():
        if "temp_attentions" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    video, text = torch.randn(1, 4, 8, 8, 8), torch.randn(1, 5, 24)
    changed = video.clone()
    changed[:, :, 0] += 1
    with torch.inference_mode():
        difference = (network(video, 500, text) - network(changed, 500, text)).abs()
        enable_temporal(network, enabled=False)
        without = (network(video, 500, text) - network(changed, 500, text)).abs()
    assert difference[:, :, -1].max() > 1e-3
    assert without[:, :, 1:].max() == 0


def test_a_written_configuration_reads_back() -> None:
    network = FirstAdjacentUNet(replace(SMALL, temporal_convolutions=1))
    written = json.loads(json.dumps(network.config_json()))
    assert FirstAdjacentUNet.from_config(written).config == network.config
