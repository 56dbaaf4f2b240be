"""MoVQ, the autoencoder of the latents, with the image decoder or a video decoder (FusionFrames, section 4.3 and table 3).

The codebook is left out: the encoder's continuous output is the latent, without a scaling factor, and the decoder uses it twice:
as its input, and in every norm. `movq_names.py` has the names that diffusers' VQModel, the same
image autoencoder, gives to the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.fusion_frames.movq_blocks import (
    AttnBlock,
    Downsample,
    ResnetBlock,
    Upsample,
    norm,
)
from cascade.models.families.fusion_frames.movq_config import MoVQConfig
from cascade.models.families.fusion_frames.movq_temporal import (
    InflatedResnetBlock,
    LayeredResnetBlock,
    TemporalAttnBlock,
    TemporalResnetBlock,
)


class MoVQ(CheckpointNetwork):
    """Encodes pictures and decodes clips."""

    def __init__(self, config: MoVQConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quant_conv = nn.Conv2d(config.z_channels, config.z_channels, 1)
        self.post_quant_conv = nn.Conv2d(config.z_channels, config.z_channels, 1)
        self.decoder = Decoder(config)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(MoVQConfig.from_dict(config))

    def config_json(self) -> dict[str, Any]:
        return self.config.as_dict()

    @property
    def pixels_per_latent(self) -> int:
        """Return how many pixels of height and width one latent stands for."""
        pixels: int = 2 ** (self.config.levels - 1)
        return pixels

    def encode(self, frames: Tensor) -> Tensor:
        """Encode each frame by itself: (frames, 3, height, width) in [-1, 1] to (frames, z_channels, height / 8, width / 8)."""
        latents: Tensor = self.quant_conv(self.encoder(frames))
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Decode the latents of one clip: (frames, z_channels, height / 8, width / 8) to (frames, 3, height, width), about [-1, 1]."""
        frames: Tensor = self.decoder(self.post_quant_conv(latents), latents)
        return frames

    def forward(self, latents: Tensor) -> Tensor:
        """Decode: (frames, z_channels, height / 8, width / 8) to (frames, 3, height, width)."""
        return self.decode(latents)


class Encoder(nn.Module):
    """From pictures to latents, each by itself."""

    def __init__(self, config: MoVQConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList(EncoderLevel(config, level) for level in range(config.levels))
        lowest = config.width(config.levels - 1)
        self.mid = EncoderMiddle(lowest)
        self.norm_out = norm(lowest, None)
        self.conv_out = nn.Conv2d(lowest, config.z_channels, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        """(frames, in_channels, height, width) to (frames, z_channels, height / 8, width / 8)."""
        hidden = self.conv_in(frames)
        for level in self.down:
            hidden = level(hidden)
        hidden = self.mid(hidden)
        latents: Tensor = self.conv_out(functional.silu(self.norm_out(hidden, None)))
        return latents


class EncoderLevel(nn.Module):
    """Residual blocks, each with attention where the level has it, and half the size but for the last."""

    def __init__(self, config: MoVQConfig, level: int) -> None:
        super().__init__()
        width, previous = config.width(level), config.ch if level == 0 else config.width(level - 1)
        count = config.num_res_blocks
        self.block = nn.ModuleList(
            ResnetBlock(previous if block == 0 else width, width, None) for block in range(count)
        )
        self.attn = nn.ModuleList(
            AttnBlock(width, None) for _ in range(count if config.has_attention(level) else 0)
        )
        if level < config.levels - 1:
            self.downsample = Downsample(width)

    def forward(self, hidden: Tensor) -> Tensor:
        """(frames, channels, height, width) to (frames, channels', height', width')."""
        for index, block in enumerate(self.block):
            hidden = block(hidden, None)
            if self.attn:
                hidden = self.attn[index](hidden, None)
        output: Tensor = self.downsample(hidden) if hasattr(self, "downsample") else hidden
        return output


class EncoderMiddle(nn.Module):
    """Block, attention, block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, None)
        self.attn_1 = AttnBlock(channels, None)
        self.block_2 = ResnetBlock(channels, channels, None)

    def forward(self, hidden: Tensor) -> Tensor:
        """(frames, channels, height, width) to the same."""
        for block in (self.block_1, self.attn_1, self.block_2):
            hidden = block(hidden, None)
        return hidden


class Decoder(nn.Module):
    """From the latents of one clip to its frames."""

    def __init__(self, config: MoVQConfig) -> None:
        super().__init__()
        lowest = config.width(config.levels - 1)
        self.conv_in = nn.Conv2d(config.z_channels, lowest, 3, padding=1)
        self.mid = DecoderMiddle(config, lowest)
        self.up = nn.ModuleList(DecoderLevel(config, level) for level in range(config.levels))
        self.norm_out = norm(config.width(0), config.z_channels)
        self.conv_out = nn.Conv2d(config.width(0), config.out_ch, 3, padding=1)

    def forward(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """hidden and latent (frames, z_channels, height / 8, width / 8) to (frames, out_ch, height, width)."""
        hidden = self.mid(self.conv_in(hidden), latent)
        for level in reversed(self.up):
            hidden = level(hidden, latent)
        frames: Tensor = self.conv_out(functional.silu(self.norm_out(hidden, latent)))
        return frames


class DecoderMiddle(nn.Module):
    """Block, attention, [temporal attention], [temporal block], block, [temporal block]."""

    def __init__(self, config: MoVQConfig, channels: int) -> None:
        super().__init__()
        self.block_1 = resnet_block(config, channels, channels)
        self.attn_1 = AttnBlock(channels, config.z_channels, first_latent=config.uses_first_latent)
        if config.temporal_attention_block:
            self.temporal_attn_1 = TemporalAttnBlock(channels, config.z_channels)
        self.block_2 = resnet_block(config, channels, channels)
        if config.temporal_blocks:
            self.temporal_block_1 = TemporalResnetBlock(channels, config.z_channels)
            self.temporal_block_2 = TemporalResnetBlock(channels, config.z_channels)

    def forward(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """hidden (frames, channels, height, width), latent (frames, z_channels, ...) to the shape of hidden."""
        for name in (
            "block_1",
            "attn_1",
            "temporal_attn_1",
            "temporal_block_1",
            "block_2",
            "temporal_block_2",
        ):
            if hasattr(self, name):
                hidden = getattr(self, name)(hidden, latent)
        return hidden


class DecoderLevel(nn.Module):
    """Several times [block, [temporal block], [attention, [temporal attention]]], and twice the size but for the last."""

    def __init__(self, config: MoVQConfig, level: int) -> None:
        super().__init__()
        width, below = config.width(level), config.width(min(level + 1, config.levels - 1))
        count, latent = config.num_res_blocks + 1, config.z_channels
        attentions = count if config.has_attention(level) else 0
        self.block = nn.ModuleList(
            resnet_block(config, below if block == 0 else width, width) for block in range(count)
        )
        self.attn = nn.ModuleList(
            AttnBlock(width, latent, first_latent=config.uses_first_latent) for _ in range(attentions)
        )
        self.temporal_attn = nn.ModuleList(
            TemporalAttnBlock(width, latent)
            for _ in range(attentions if config.temporal_attention_block else 0)
        )
        self.temporal_block = nn.ModuleList(
            TemporalResnetBlock(width, latent) for _ in range(count if config.temporal_blocks else 0)
        )
        if level > 0:
            self.upsample = Upsample(width)

    def forward(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """hidden (frames, channels, height, width), latent (frames, z_channels, ...) to (frames, channels', height', width')."""
        for index in range(len(self.block)):
            for parts in (self.block, self.temporal_block, self.attn, self.temporal_attn):
                if parts:
                    hidden = parts[index](hidden, latent)
        output: Tensor = self.upsample(hidden) if hasattr(self, "upsample") else hidden
        return output


def resnet_block(config: MoVQConfig, channels: int, out_channels: int) -> ResnetBlock:
    """Make a residual block of the decoder."""
    if config.temporal:
        return LayeredResnetBlock(channels, out_channels, config.z_channels, config.temporal_kernel_size)
    kind = InflatedResnetBlock if config.build_3D_decoder else ResnetBlock
    return kind(channels, out_channels, config.z_channels)
