"""The pixel UNet has the published tensors and arithmetic, and temporal layers that start as the identity."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from cascade.models.errors import CheckpointError
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from tests.models.families.show1.small_configs import GOLDEN, KEYFRAMES, SUPER_RESOLUTION, TEXT_WIDTH
from tests.models.network_checks import (
    check_begins_as_image_model,
    check_outputs,
    check_temporal_layers_mix_frames,
    check_tensors,
)


@pytest.mark.parametrize("name", ["keyframes", "interpolation"])
def test_every_published_tensor_has_its_place(name: str) -> None:
    check_tensors(PixelVideoUNet, GOLDEN / f"manifest_{name}.json")


@pytest.mark.parametrize("learning", [False, True])
def test_outputs_agree_with_the_published_code(learning: bool) -> None:
    check_outputs(PixelVideoUNet, GOLDEN / "keyframes_unet", learning=learning)


@pytest.mark.parametrize("transformer_in", [False, True])
def test_new_temporal_layers_leave_the_image_model_as_it_was(transformer_in: bool) -> None:
    network = PixelVideoUNet(replace(KEYFRAMES, transfromer_in_opt=transformer_in))
    check_begins_as_image_model(network, 3, TEXT_WIDTH)


def test_trained_temporal_layers_mix_frames() -> None:
    check_temporal_layers_mix_frames(PixelVideoUNet(KEYFRAMES), 3, TEXT_WIDTH)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"only_cross_attention": True},
        {"layers_per_block": (1, 2, 1), "block_out_channels": (16, 48, 64), "attention_head_dim": (8, 8, 16)},
        {"only_cross_attention": (False, False, True), "mid_block_only_cross_attention": False},
        {"cross_attention_norm": None, "resnet_out_scale_factor": 1.41, "mid_block_scale_factor": 1.41},
    ],
)
def test_super_resolution_is_built_from_its_own_configuration(changes: dict[str, Any]) -> None:
    network = PixelVideoUNet(replace(SUPER_RESOLUTION, **changes)).eval()
    video, text = torch.randn(1, 6, 2, 8, 12), torch.randn(1, 5, TEXT_WIDTH)
    with torch.inference_mode():
        low = network(video, 500, text, torch.tensor([0]))
        noisy = network(video, 500, text, torch.tensor([250]))
        other_text = network(video, 500, text.flip(-1), torch.tensor([0]))
    assert low.shape == (1, 3, 2, 8, 12)
    assert (low - noisy).abs().max() > 1e-4
    assert (low - other_text).abs().max() > 1e-4


def test_only_cross_attention_has_no_keys_of_its_own() -> None:
    names = PixelVideoUNet(replace(SUPER_RESOLUTION, only_cross_attention=True)).state_dict()
    assert not [name for name in names if ".attentions." in name and (".to_k." in name or ".to_v." in name)]


def test_a_noise_level_is_asked_for_where_the_network_takes_one() -> None:
    network = PixelVideoUNet(SUPER_RESOLUTION)
    assert network.takes_noise_level
    assert not PixelVideoUNet(KEYFRAMES).takes_noise_level
    with pytest.raises(ValueError, match="class_labels"):
        network(torch.randn(1, 6, 1, 8, 8), 1, torch.randn(1, 2, TEXT_WIDTH))


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("new_trick", 1, 'know the configuration key "new_trick"'),
        ("time_embedding_type", "fourier", "supports time_embedding_type"),
        ("class_embed_type", "projection", 'class_embed_type "projection" is not known'),
        ("down_block_types", ["AttnDownBlock3D", "ResnetDownsampleBlock3D"], "no block AttnDownBlock3D"),
        ("attention_head_dim", 24, "64 channels cannot be split into heads of 24"),
        ("attention_head_dim", [8, 8, 8], "attention_head_dim has 3 values for 2 levels"),
        ("cross_attention_norm", "batch_norm", 'cross_attention_norm "batch_norm" is not known'),
        ("encoder_hid_dim", None, "needs the configuration keys encoder_hid_dim"),
        # What families put around the network is theirs.
        ("patch_size", 2, "patch_size"),
        ("residual", True, "residual"),
        ("prior", [4, 5, 8], "prior"),
        ("attention_across_space", True, "attention_across_space"),
    ],
)
def test_a_configuration_that_would_change_the_arithmetic_is_refused(
    key: str, value: object, complaint: str
) -> None:
    published = json.loads((GOLDEN / "keyframes_unet" / "config.json").read_text())
    with pytest.raises(CheckpointError, match=complaint):
        PixelVideoUNet.from_config(published | {key: value})


def test_a_written_configuration_reads_back() -> None:
    written = json.loads(json.dumps(PixelVideoUNet(SUPER_RESOLUTION).config_json()))
    assert PixelVideoUNet.from_config(written).config == SUPER_RESOLUTION
