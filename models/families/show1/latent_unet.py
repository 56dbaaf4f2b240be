"""The latent video UNet of expert translation (Show-1, section 3.6): ModelScope's text-to-video UNet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

import torch
from diffusers.models.activations import get_activation
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.errors import CheckpointError
from cascade.models.layers.attention import SpatialTransformer
from cascade.models.layers.config import from_config, per_level
from cascade.models.layers.resnet import ResnetBlock
from cascade.models.layers.temporal import TemporalConvolution, TemporalLayer, TemporalTransformer

TRANSFORMER_IN_HEADS = 8

FIXED_KEYS: Mapping[str, tuple[Any, ...]] = {
    "sample_size": (),
    "mid_block_scale_factor": (1, 1.0),
    "downsample_padding": (1,),
    "num_attention_heads": (None,),
    "time_cond_proj_dim": (None,),
    # Keys of image UNets that are turned into this one.
    "mid_block_type": ("UNetMidBlock3DCrossAttn",),
    "use_linear_projection": (True,),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "only_cross_attention": (False,),
    "dual_cross_attention": (False,),
    "upcast_attention": (),
    "resnet_time_scale_shift": ("default",),
    "resnet_skip_time_act": (False,),
    "resnet_out_scale_factor": (1, 1.0),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "center_input_sample": (False,),
    "transformer_layers_per_block": (1,),
    "reverse_transformer_layers_per_block": (None,),
    "time_embedding_type": ("positional",),
    "time_embedding_dim": (None,),
    "time_embedding_act_fn": (None,),
    "timestep_post_act": (None,),
    "class_embed_type": (None,),
    "class_embeddings_concat": (False,),
    "num_class_embeds": (None,),
    "projection_class_embeddings_input_dim": (None,),
    "addition_embed_type": (None,),
    "addition_embed_type_num_heads": (),
    "addition_time_embed_dim": (None,),
    "encoder_hid_dim": (None,),
    "encoder_hid_dim_type": (None,),
    "cross_attention_norm": (None,),
    "mid_block_only_cross_attention": (None,),
    "attention_type": ("default",),
    "dropout": (0, 0.0),
}


@dataclass(frozen=True)
class LatentUNetConfig:
    """The published keys of `unet/config.json` that shape the network.

    `attention_head_dim` is the width of a head, one value or one per level; on the way up they are taken in reverse.
    """

    in_channels: int = 4
    out_channels: int = 4
    down_block_types: tuple[str, ...] = (
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "CrossAttnDownBlock3D",
        "DownBlock3D",
    )
    up_block_types: tuple[str, ...] = (
        "UpBlock3D",
        "CrossAttnUpBlock3D",
        "CrossAttnUpBlock3D",
        "CrossAttnUpBlock3D",
    )
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    attention_head_dim: int | tuple[int, ...] = 64
    cross_attention_dim: int = 1024
    act_fn: str = "silu"
    norm_num_groups: int = 32
    norm_eps: float = 1e-5

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """Raises CheckpointError for a key that would change the arithmetic and is not supported."""
        return from_config(cls, config, FIXED_KEYS)


@dataclass(frozen=True)
class TemporalLayers:
    """Makes the layers that turn the image UNet into a video UNet; other families have others.

    Attributes:
        convolution: takes the channels; behind each spatial resnet.
        attention: takes the channels and the width of a head; behind each spatial transformer.
        at_input: takes the same as `attention`; behind the first convolution. None for none.
    """

    convolution: Callable[[int], TemporalLayer]
    attention: Callable[[int, int], TemporalLayer]
    at_input: Callable[[int, int], TemporalLayer] | None


class LatentVideoUNet(CheckpointNetwork):
    """Predicts the noise of a video of VAE latents."""

    def __init__(self, config: LatentUNetConfig) -> None:
        super().__init__()
        self.config = config
        temporal = self.temporal_layers()
        widths = config.block_out_channels
        levels, depth = len(widths), config.layers_per_block
        head_widths = per_level(config.attention_head_dim, levels, "attention_head_dim")

        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.time_proj = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(widths[0], widths[0] * 4, act_fn=config.act_fn)
        self.transformer_in = temporal.at_input and temporal.at_input(widths[0], head_widths[0])

        self.down_blocks = nn.ModuleList()
        skips = [widths[0]]
        for level, kind in enumerate(config.down_block_types):
            last = level == levels - 1
            inputs = [widths[max(level - 1, 0)]] + [widths[level]] * (depth - 1)
            block = Level(
                config, temporal, inputs, widths[level], head_widths[level], attention=_has_attention(kind)
            )
            if not last:
                block.downsamplers = nn.ModuleList([Downsample(widths[level])])
            self.down_blocks.append(block)
            skips += [widths[level]] * (depth + (0 if last else 1))

        self.mid_block = MidBlock(config, temporal, widths[-1], head_widths[-1])

        self.up_blocks = nn.ModuleList()
        below = widths[-1]
        for index, kind in enumerate(config.up_block_types):
            level = levels - 1 - index
            inputs = []
            for _ in range(depth + 1):
                inputs.append(below + skips.pop())
                below = widths[level]
            block = Level(
                config, temporal, inputs, widths[level], head_widths[level], attention=_has_attention(kind)
            )
            if level > 0:
                block.upsamplers = nn.ModuleList([Upsample(widths[level])])
            self.up_blocks.append(block)

        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, widths[0], eps=config.norm_eps)
        self.conv_activation = get_activation(config.act_fn)
        self.conv_out = nn.Conv2d(widths[0], config.out_channels, 3, padding=1)

    def temporal_layers(self) -> TemporalLayers:
        """Return what makes the temporal layers: ModelScope's."""
        groups = self.config.norm_num_groups
        return TemporalLayers(
            convolution=lambda channels: TemporalConvolution(channels, groups),
            attention=lambda channels, head_width: TemporalTransformer(
                channels, channels // head_width, head_width, groups
            ),
            at_input=lambda channels, head_width: TemporalTransformer(
                channels, TRANSFORMER_IN_HEADS, head_width, groups
            ),
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(LatentUNetConfig.from_dict(config))

    def config_json(self) -> dict[str, Any]:
        return {"_class_name": "UNet3DConditionModel"} | asdict(self.config)

    def forward(self, sample: Tensor, timestep: Tensor | int, encoder_hidden_states: Tensor) -> Tensor:
        """Predict the noise of a latent video.

        Args:
            sample: (batch, in_channels, frames, height, width), any height and width.
            timestep: 0..999, one for all or (batch,).
            encoder_hidden_states: CLIP text features (batch, tokens, cross_attention_dim).
        Returns:
            (batch, out_channels, frames, height, width).
        """
        batch, _, num_frames, _, _ = sample.shape
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(batch)
        time = self.time_embedding(self.time_proj(timesteps).to(sample.dtype))
        time = time.repeat_interleave(num_frames, dim=0)
        text = encoder_hidden_states.repeat_interleave(num_frames, dim=0)

        hidden: Tensor = self.conv_in(sample.transpose(1, 2).flatten(0, 1))  # (b f) c h w
        if self.transformer_in is not None:
            hidden = self.transformer_in(hidden, num_frames)
        skips = [hidden]
        for block in cast(Iterable[Level], self.down_blocks):
            for index in range(len(block.resnets)):
                hidden = block(index, hidden, time, text, num_frames)
                skips.append(hidden)
            for downsample in getattr(block, "downsamplers", ()):
                hidden = downsample(hidden)
                skips.append(hidden)
        hidden = self.mid_block(hidden, time, text, num_frames)
        for block in cast(Iterable[Level], self.up_blocks):
            for index in range(len(block.resnets)):
                hidden = block(index, torch.cat([hidden, skips.pop()], dim=1), time, text, num_frames)
            for upsample in getattr(block, "upsamplers", ()):
                hidden = upsample(hidden, skips[-1].shape[-2:])
        hidden = self.conv_out(self.conv_activation(self.conv_norm_out(hidden)))
        return rearrange(hidden, "(b f) c h w -> b c f h w", b=batch)


class Level(nn.Module):
    """One resolution: per layer resnet, temporal convolution, spatial transformer, temporal transformer."""

    def __init__(
        self,
        config: LatentUNetConfig,
        temporal: TemporalLayers,
        in_channels: list[int],
        channels: int,
        head_width: int,
        *,
        attention: bool,
    ) -> None:
        super().__init__()
        self.has_attention = attention
        self.resnets = nn.ModuleList(_resnet(config, width, channels) for width in in_channels)
        self.temp_convs = nn.ModuleList(temporal.convolution(channels) for _ in in_channels)
        if attention:
            self.attentions = nn.ModuleList(
                _spatial_transformer(config, channels, head_width) for _ in in_channels
            )
            self.temp_attentions = nn.ModuleList(
                temporal.attention(channels, head_width) for _ in in_channels
            )

    def forward(self, index: int, hidden: Tensor, time: Tensor, text: Tensor, num_frames: int) -> Tensor:
        """Run layer `index`; hidden (batch·frames, channels, height, width), time (batch·frames, width), text (batch·frames, tokens, width)."""
        hidden = self.temp_convs[index](self.resnets[index](hidden, time), num_frames)
        if self.has_attention:
            hidden = self.temp_attentions[index](self.attentions[index](hidden, text), num_frames)
        return hidden


class MidBlock(nn.Module):
    """The lowest resolution: resnet, then attention and resnet, each followed by its temporal layer."""

    def __init__(
        self, config: LatentUNetConfig, temporal: TemporalLayers, channels: int, head_width: int
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_resnet(config, channels, channels) for _ in range(2))
        self.temp_convs = nn.ModuleList(temporal.convolution(channels) for _ in range(2))
        self.attentions = nn.ModuleList([_spatial_transformer(config, channels, head_width)])
        self.temp_attentions = nn.ModuleList([temporal.attention(channels, head_width)])

    def forward(self, hidden: Tensor, time: Tensor, text: Tensor, num_frames: int) -> Tensor:
        """(batch·frames, channels, height, width) to the same; time and text as in `Level`."""
        hidden = self.temp_convs[0](self.resnets[0](hidden, time), num_frames)
        hidden = self.temp_attentions[0](self.attentions[0](hidden, text), num_frames)
        hidden = self.temp_convs[1](self.resnets[1](hidden, time), num_frames)
        return hidden


class Downsample(nn.Module):
    """Halves height and width by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, height / 2, width / 2)."""
        hidden = self.conv(hidden)
        return hidden


class Upsample(nn.Module):
    """Enlarges to `size` (nearest), then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor, size: torch.Size) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, *size)."""
        hidden = self.conv(functional.interpolate(hidden, size=size, mode="nearest"))
        return hidden


def _resnet(config: LatentUNetConfig, in_channels: int, out_channels: int) -> ResnetBlock:
    return ResnetBlock(
        in_channels,
        out_channels,
        config.block_out_channels[0] * 4,
        config.norm_num_groups,
        config.norm_eps,
        config.act_fn,
    )


def _spatial_transformer(config: LatentUNetConfig, channels: int, head_width: int) -> SpatialTransformer:
    return SpatialTransformer(
        channels, channels // head_width, head_width, config.cross_attention_dim, config.norm_num_groups
    )


def _has_attention(block_type: str) -> bool:
    if block_type in ("CrossAttnDownBlock3D", "CrossAttnUpBlock3D"):
        return True
    if block_type in ("DownBlock3D", "UpBlock3D"):
        return False
    raise CheckpointError(f"a latent video UNet has no block {block_type}")
