"""The UNets have the published tensors and arithmetic, and temporal layers that start as the identity."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cascade.models.errors import CheckpointError
from cascade.models.families.shapes.caption_prior import LAYOUT_CHANNELS
from cascade.models.families.shapes.random_checkpoints import (
    EXPERT_TRANSLATION,
    INTERPOLATION,
    KEYFRAMES,
    SUPER_RESOLUTION,
    TEXT_WIDTH,
)
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.layers.temporal import POSITION_SIZE, TemporalTransformer, is_temporal, positions

GOLDEN = Path(__file__).parent / "golden"
PIXEL = (PixelUNetConfig, PixelVideoUNet)
LATENT = (LatentUNetConfig, LatentVideoUNet)
# A small one of DeepFloyd IF's form: three levels, attention at the lowest, no patches.
OF_IFS_FORM = replace(
    SUPER_RESOLUTION,
    down_block_types=(
        "ResnetDownsampleBlock3D",
        "ResnetDownsampleBlock3D",
        "SimpleCrossAttnDownBlock3D",
    ),
    up_block_types=("SimpleCrossAttnUpBlock3D", "ResnetUpsampleBlock3D", "ResnetUpsampleBlock3D"),
    block_out_channels=(16, 32, 64),
    norm_num_groups=8,
    attention_head_dim=16,
    attention_across_space=False,
    temporal_heads=None,
    patch_size=1,
    residual=False,
)


@pytest.mark.parametrize(
    ("name", "kinds"), [("keyframes", PIXEL), ("interpolation", PIXEL), ("expert_translation", LATENT)]
)
def test_every_published_tensor_has_its_place(name: str, kinds: tuple) -> None:
    manifest = json.loads((GOLDEN / f"manifest_{name}.json").read_text())
    config_class, network_class = kinds
    with torch.device("meta"):
        network = network_class(config_class.from_dict(manifest["config"]))
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == manifest["tensors"]
    assert sum(p.numel() for p in network.parameters()) == manifest["parameters"]


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(("case", "kinds"), [("keyframes_unet", PIXEL), ("expert_translation_unet", LATENT)])
def test_outputs_agree_with_the_published_code(case: str, kinds: tuple, learning: bool) -> None:
    folder, (config_class, network_class) = GOLDEN / case, kinds
    network = network_class(config_class.from_dict(json.loads((folder / "config.json").read_text()))).eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    inputs = load_file(folder / "inputs.safetensors")
    expected = load_file(folder / "outputs.safetensors")["sample"]
    with torch.inference_mode(mode=not learning):
        output = network(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"])
    error = ((output - expected).abs().max() / expected.abs().max()).item()
    assert error < 1e-4, f"relative error {error:.1e}"


def test_new_temporal_layers_leave_the_image_model_as_it_was() -> None:
    plain = replace(KEYFRAMES, layout=None)  # a layout is of a whole clip; one frame alone has another
    for network, channels in (
        (PixelVideoUNet(plain).eval(), 3),
        (PixelVideoUNet(replace(plain, transfromer_in_opt=True)).eval(), 3),
        (LatentVideoUNet(EXPERT_TRANSLATION).eval(), EXPERT_TRANSLATION.in_channels),
    ):
        video, text = torch.randn(1, channels, 4, 8, 12), torch.randn(1, 5, TEXT_WIDTH)
        with torch.inference_mode():
            together = network(video, 500, text)
            alone = torch.cat([network(video[:, :, f : f + 1], 500, text) for f in range(4)], dim=2)
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_trained_temporal_layers_mix_frames() -> None:
    network = PixelVideoUNet(KEYFRAMES).eval()
    for name, parameter in network.named_parameters():
        if is_temporal(name):
            torch.nn.init.normal_(parameter, std=0.05)
    video, text = torch.randn(1, 3, 4, 8, 12), torch.randn(1, 5, TEXT_WIDTH)
    changed = video.clone()
    changed[:, :, 3] += 1
    with torch.inference_mode():
        difference = (network(video, 500, text) - network(changed, 500, text)).abs()
    assert difference[:, :, 0].max() > 1e-4


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
def test_super_resolution_is_built_from_its_own_configuration(changes: dict) -> None:
    network = PixelVideoUNet(replace(OF_IFS_FORM, **changes)).eval()
    video, text = torch.randn(1, 6, 2, 8, 12), torch.randn(1, 5, TEXT_WIDTH)
    with torch.inference_mode():
        low = network(video, 500, text, torch.tensor([0]))
        noisy = network(video, 500, text, torch.tensor([250]))
        other_text = network(video, 500, text + 1, torch.tensor([0]))
    assert low.shape == (1, 3, 2, 8, 12)
    assert (low - noisy).abs().max() > 1e-4
    assert (low - other_text).abs().max() > 1e-4


def test_only_cross_attention_has_no_keys_of_its_own() -> None:
    names = PixelVideoUNet(replace(SUPER_RESOLUTION, only_cross_attention=True)).state_dict()
    assert not [name for name in names if ".attentions." in name and (".to_k." in name or ".to_v." in name)]


def test_patches_are_folded_into_channels_before_the_network_and_back_after_it() -> None:
    folded = PixelVideoUNet(replace(OF_IFS_FORM, patch_size=2)).eval()
    inner = PixelVideoUNet(replace(OF_IFS_FORM, in_channels=6 * 4, out_channels=3 * 4)).eval()
    inner.load_state_dict(folded.state_dict())
    video, text, level = torch.randn(1, 6, 2, 16, 24), torch.randn(1, 5, TEXT_WIDTH), torch.tensor([9])
    corners = [video[..., y::2, x::2] for y in range(2) for x in range(2)]
    channels = torch.stack(corners, dim=2).flatten(1, 2)  # each channel's four corners, row by row
    with torch.inference_mode():
        made = folded(video, 500, text, level)
        expected = inner(channels, 500, text, level).unflatten(1, (3, 4))
    for corner in range(4):
        y, x = divmod(corner, 2)
        torch.testing.assert_close(made[..., y::2, x::2], expected[:, :, corner])


def test_a_noise_level_is_asked_for_where_the_network_takes_one() -> None:
    with pytest.raises(ValueError, match="class_labels"):
        PixelVideoUNet(SUPER_RESOLUTION)(torch.randn(1, 6, 1, 8, 8), 1, torch.randn(1, 2, TEXT_WIDTH))


def test_a_configuration_that_would_change_the_arithmetic_is_refused() -> None:
    published = json.loads((GOLDEN / "keyframes_unet" / "config.json").read_text())
    with pytest.raises(CheckpointError, match="new_trick"):
        PixelUNetConfig.from_dict(published | {"new_trick": 1})
    with pytest.raises(CheckpointError, match="resnet_skip_time_act"):
        PixelUNetConfig.from_dict(published | {"resnet_skip_time_act": False})


def test_positions_are_sines_and_cosines_of_frame_row_and_column() -> None:
    table = positions((3, 2, 4), torch.zeros(24, 14)) / POSITION_SIZE  # two waves an axis: rates 1 and 1/10
    assert table[0].tolist() == [0, 0, 1, 1] * 3 + [0, 0]
    frame, row, column = 2, 1, 3
    expected = [
        wave(place * rate)
        for place in (frame, row, column)
        for wave in (math.sin, math.cos)
        for rate in (1, 0.1)
    ]
    assert table[-1].tolist() == pytest.approx([*expected, 0, 0], abs=1e-6)


def test_attention_across_space_knows_where_and_when() -> None:
    """The same frame again and again: only positions tell its frames apart, away from the clip's ends."""
    across = TemporalTransformer(12, 2, 6, 4, across_space=True)
    own_pixel = TemporalTransformer(12, 2, 6, 4)
    for layer in (across, own_pixel):
        torch.nn.init.normal_(layer.proj_out.weight)
    still = torch.randn(1, 12, 3, 4).repeat(6, 1, 1, 1)
    with torch.inference_mode():
        moved, same = across(still, 6), own_pixel(still, 6)
    assert (moved[2] - moved[3]).abs().max() > 1e-3
    torch.testing.assert_close(same[2], same[3])


def test_a_network_with_a_layout_sees_what_its_words_alone_decide() -> None:
    network = PixelVideoUNet(KEYFRAMES).eval()
    sample, text = torch.randn(1, 3, 8, 20, 32), torch.randn(1, 5, 64)
    with torch.inference_mode():
        own = network.layout_of(text, (8, 20, 32))
        assert own.shape == (1, LAYOUT_CHANNELS, 8, 20, 32)
        assert torch.equal(network(sample, 500, text), network(sample, 500, text, layout=own))
        other = network(sample, 500, text, layout=own.flip(-1))
    assert (other - network(sample, 500, text)).abs().max() > 1e-3


def test_a_fresh_residual_network_predicts_its_condition() -> None:
    network = PixelVideoUNet(INTERPOLATION).eval()
    sample = torch.randn(2, 7, 5, 20, 32)
    with torch.inference_mode():
        assert torch.equal(network(sample, 500, torch.randn(2, 5, 64)), sample[:, 3:6])
