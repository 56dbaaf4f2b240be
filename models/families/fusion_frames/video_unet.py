"""The UNet: levels of spatial blocks with the temporal parts that the configuration names, in the published order.

Down: self-attention → temporal attention → several times [in → temporal → text → out → temporal]. Up, mirrored: several times
[temporal → in → text → temporal → out] → temporal attention → self-attention; with merged layers the two attentions at the end
change places. There is no block in the middle.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.fusion_frames.conditioning import Conditioning, NumberEmbedding, TextPooling
from cascade.models.families.fusion_frames.image_unet import (
    AttentionBlock,
    PassThrough,
    Resample,
    ResidualBlock,
    SubBlock,
)
from cascade.models.families.fusion_frames.temporal_blocks import (
    TemporalAttentionBlock10,
    TemporalAttentionBlock11,
    TemporalResidualBlock,
    TemporalResidualBlock11,
)
from cascade.models.families.fusion_frames.temporal_layers import (
    LayeredAttentionBlock,
    LayeredSubBlock,
    LayeredSubBlock10,
    MergedAttentionBlock,
)
from cascade.models.families.fusion_frames.unet_config import (
    BLOCKS,
    BLOCKS_1_0,
    BLOCKS_1_1,
    LAYERS,
    LAYERS_1_0,
    LAYERS_1_1,
    UNetConfig,
)

SUB_BLOCKS: dict[str, type[SubBlock]] = {
    LAYERS: LayeredSubBlock,
    LAYERS_1_0: LayeredSubBlock10,
    LAYERS_1_1: LayeredSubBlock,
}


class VideoUNet(CheckpointNetwork):
    """The body that the networks for keyframes and for interpolation share."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.to_time_embed = NumberEmbedding(config.init_channels, config.time_embed_dim)
        self.feature_pooling = TextPooling(config.time_embed_dim, config.context_dim, config.head_dim)
        self.in_layer = nn.Conv2d(config.num_channels, config.init_channels, 3, padding=1)
        self.down_samples = nn.ModuleList(DownLevel(config, level) for level in range(config.levels))
        self.up_samples = nn.ModuleList(UpLevel(config, level) for level in reversed(range(config.levels)))
        self.out_layer = nn.Sequential(
            nn.GroupNorm(config.groups, config.init_channels),
            nn.SiLU(),
            nn.Conv2d(config.init_channels, config.out_channels, 3, padding=1),
        )

    def config_json(self) -> dict[str, Any]:
        return self.config.as_dict()

    def predict(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """From the first convolution's output (frames, init_channels, height, width) to (frames, out_channels, height, width)."""
        skips = []
        for down in self.down_samples:
            hidden = down(hidden, conditioning)
            skips.append(hidden)
        skips.pop()
        for level, up in enumerate(self.up_samples):
            hidden = hidden if level == 0 else torch.cat([hidden, skips.pop()], dim=1)
            hidden = up(hidden, conditioning)
        output: Tensor = self.out_layer(hidden)
        return output


class DownLevel(nn.Module):
    """One level of the way down; halves height and width but for the last."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__()
        width, out_width = config.widths[level], config.widths[level + 1]
        self.self_attention_block = self_attention(config, width, level)
        self.temporal_attention_block = temporal_attention(config, width, level)
        last = Resample.KEEP if level == config.levels - 1 else Resample.HALVE
        count = config.num_blocks[level]
        self.resnet_attn_blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    residual(config, width if block == 0 else out_width, out_width),
                    text_attention(config, out_width, level),
                    residual(config, out_width, out_width, last if block == count - 1 else Resample.KEEP),
                    temporal_residual(config, out_width),
                    temporal_residual(config, out_width),
                ]
            )
            for block in range(count)
        )

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) to (frames, channels', height', width')."""
        hidden = self.self_attention_block(hidden, conditioning)
        hidden = self.temporal_attention_block(hidden, conditioning)
        for blocks in self.resnet_attn_blocks:
            into, text, out_of, first_temporal, last_temporal = blocks.children()
            for block in (into, first_temporal, text, out_of, last_temporal):
                hidden = block(hidden, conditioning)
        return hidden


class UpLevel(nn.Module):
    """One level of the way up; takes the skip of the level below, and doubles height and width but for the first."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__()
        width, out_width = config.widths[level + 1], config.widths[level]
        first = level == config.levels - 1
        count = config.num_blocks[level]
        widths = [width if first else 2 * width, *[width] * (count - 1)]
        self.resnet_attn_blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    residual(
                        config,
                        widths[block],
                        widths[block],
                        Resample.KEEP if first or block else Resample.DOUBLE,
                    ),
                    text_attention(config, widths[block], level),
                    residual(config, widths[block], out_width if block == count - 1 else width),
                    temporal_residual(config, widths[block]),
                    temporal_residual(config, widths[block]),
                ]
            )
            for block in range(count)
        )
        self.temporal_attention_block = temporal_attention(config, out_width, level)
        self.self_attention_block = self_attention(config, out_width, level)
        self.temporal_first = config.temporal_parts in BLOCKS

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(frames, channels with the skip's, height, width) to (frames, channels', height', width')."""
        for blocks in self.resnet_attn_blocks:
            into, text, out_of, first_temporal, last_temporal = blocks.children()
            for block in (first_temporal, into, text, last_temporal, out_of):
                hidden = block(hidden, conditioning)
        attentions = (self.temporal_attention_block, self.self_attention_block)
        for block in attentions if self.temporal_first else reversed(attentions):
            hidden = block(hidden, conditioning)
        return hidden


def residual(
    config: UNetConfig, width: int, out_width: int, resample: Resample = Resample.KEEP
) -> ResidualBlock:
    """Make a spatial residual block, with the temporal layers inside that the network has."""
    return ResidualBlock(
        width,
        out_width,
        config.time_embed_dim,
        config.groups,
        config.compression_ratio,
        resample,
        SUB_BLOCKS.get(config.temporal_parts, SubBlock),
    )


def self_attention(config: UNetConfig, width: int, level: int) -> nn.Module:
    """Make the self-attention of a level, where it has one."""
    if not config.add_self_attention[level]:
        return PassThrough()
    kind = LayeredAttentionBlock if config.temporal_parts == LAYERS else AttentionBlock
    return kind(width, config.time_embed_dim, None, config.groups, config.head_dim, config.expansion_ratio)


def text_attention(config: UNetConfig, width: int, level: int) -> nn.Module:
    """Make an attention to the text, where the level has them."""
    if not config.add_cross_attention[level]:
        return PassThrough()
    return AttentionBlock(
        width,
        config.time_embed_dim,
        config.context_dim,
        config.groups,
        config.head_dim,
        config.expansion_ratio,
    )


def temporal_attention(config: UNetConfig, width: int, level: int) -> nn.Module:
    """Make the temporal attention beside a level's self-attention, where the network has blocks of it."""
    kinds: dict[str, Any] = {BLOCKS_1_0: TemporalAttentionBlock10, BLOCKS_1_1: TemporalAttentionBlock11}
    if config.add_temporal_attention:
        kinds[LAYERS_1_1] = MergedAttentionBlock
    kind = kinds.get(config.temporal_parts)
    if kind is None or not config.add_self_attention[level]:
        return PassThrough()
    block: nn.Module = kind(
        width, config.time_embed_dim, config.groups, config.head_dim, config.expansion_ratio
    )
    return block


def temporal_residual(config: UNetConfig, width: int) -> nn.Module:
    """Make a temporal residual block, where the network has them."""
    kinds = {BLOCKS_1_0: TemporalResidualBlock, BLOCKS_1_1: TemporalResidualBlock11}
    kind = kinds.get(config.temporal_parts)
    if kind is None:
        return PassThrough()
    return kind(width, config.time_embed_dim, config.groups, config.compression_ratio)
