"""Configurations of small networks with the form of the published ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cascade.models.families.show1.latent_unet import LatentUNetConfig
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig

GOLDEN = Path(__file__).parents[2] / "golden"
TEXT_WIDTH = 24

KEYFRAMES = PixelUNetConfig(
    in_channels=3,
    out_channels=6,
    down_block_types=("ResnetDownsampleBlock3D", "SimpleCrossAttnDownBlock3D"),
    up_block_types=("SimpleCrossAttnUpBlock3D", "ResnetUpsampleBlock3D"),
    block_out_channels=(16, 32),
    layers_per_block=1,
    attention_head_dim=8,
    cross_attention_dim=32,
    encoder_hid_dim=TEXT_WIDTH,
    addition_embed_type_num_heads=4,
    cross_attention_norm="group_norm",
    act_fn="gelu",
    time_embedding_act_fn="gelu",
    norm_num_groups=8,
)
SUPER_RESOLUTION = replace(
    KEYFRAMES,
    in_channels=6,
    out_channels=3,
    down_block_types=(
        "ResnetDownsampleBlock3D",
        "ResnetDownsampleBlock3D",
        "SimpleCrossAttnDownBlock3D",
    ),
    up_block_types=("SimpleCrossAttnUpBlock3D", "ResnetUpsampleBlock3D", "ResnetUpsampleBlock3D"),
    block_out_channels=(16, 32, 64),
    attention_head_dim=16,
    class_embed_type="timestep",
)
LATENT = LatentUNetConfig(
    down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
    up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
    block_out_channels=(32, 64),
    layers_per_block=1,
    attention_head_dim=16,
    norm_num_groups=16,
    cross_attention_dim=TEXT_WIDTH,
)
