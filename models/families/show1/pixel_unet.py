"""The pixel video UNet of keyframes, interpolation and super-resolution (Show-1, sections 3.2 to 3.5).

Spatial layers are DeepFloyd IF's image UNet; temporal convolution and attention follow each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Self, cast

import torch
from diffusers.models.activations import get_activation
from diffusers.models.embeddings import TextTimeEmbedding, TimestepEmbedding, Timesteps
from einops import rearrange
from torch import Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.layers.attention import AddedKVAttention
from cascade.models.layers.config import per_level
from cascade.models.layers.resnet import Resample, ResnetBlock
from cascade.models.layers.temporal import TemporalConvolution, TemporalLayer, TemporalTransformer

TRANSFORMER_IN_HEADS, TRANSFORMER_IN_HEAD_WIDTH = 8, 64

TemporalAttention = Callable[[int, int, int], TemporalLayer]
"""Makes the temporal attention of a feature map from its level, 0 at full resolution, its channels, and the width of
the heads of the spatial attention before it."""


class PixelVideoUNet(CheckpointNetwork):
    """Predicts noise (and its variance where `out_channels` is doubled) of a pixel video.

    Args:
        config: the published configuration.
        temporal_attention: makes the temporal layer after each spatial attention; None makes the published one.
        up_head_dims: width of a spatial head on the way up, from the lowest level; None takes `attention_head_dim` in its
            own order, as published.

    Raises:
        CheckpointError: the configuration names what is not known here, or its values do not fit together.
    """

    def __init__(
        self,
        config: PixelUNetConfig,
        temporal_attention: TemporalAttention | None = None,
        up_head_dims: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        temporal_attention = temporal_attention or _published_attention(config)
        self.config = config
        widths = config.block_out_channels
        levels = len(widths)
        time_width = config.time_width
        depths = per_level(config.layers_per_block, levels, "layers_per_block")
        head_dims = per_level(config.attention_head_dim, levels, "attention_head_dim")
        up_head_dims = up_head_dims or head_dims
        only_cross = per_level(config.only_cross_attention, levels, "only_cross_attention")

        self.conv_in = nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        self.time_proj = Timesteps(widths[0], config.flip_sin_to_cos, config.freq_shift)
        self.time_embedding = TimestepEmbedding(widths[0], time_width, act_fn=config.act_fn)
        self.class_embedding = _class_embedding(config, widths[0], time_width)
        self.add_embedding = TextTimeEmbedding(
            config.encoder_hid_dim, time_width, config.addition_embed_type_num_heads
        )
        self.encoder_hid_proj = nn.Linear(config.encoder_hid_dim, config.cross_attention_dim)
        self.time_activation = (
            get_activation(config.time_embedding_act_fn) if config.time_embedding_act_fn else nn.Identity()
        )
        if config.transfromer_in_opt:
            self.transformer_in = TemporalTransformer(
                widths[0],
                TRANSFORMER_IN_HEADS,
                TRANSFORMER_IN_HEAD_WIDTH,
                config.norm_num_groups,
            )

        self.down_blocks = nn.ModuleList()
        skips = [widths[0]]
        for level, kind in enumerate(config.down_block_types):
            last = level == levels - 1
            inputs = [widths[max(level - 1, 0)]] + [widths[level]] * (depths[level] - 1)
            self.down_blocks.append(
                Level(
                    config,
                    inputs,
                    widths[level],
                    head_dims[level],
                    attention=_has_attention(kind),
                    only_cross_attention=only_cross[level],
                    temporal_attention=partial(temporal_attention, level),
                    resample="none" if last else "down",
                )
            )
            skips += [widths[level]] * (depths[level] + (0 if last else 1))

        self.mid_block = MidBlock(
            config,
            widths[-1],
            head_dims[-1],
            only_cross_attention=_mid_only_cross(config),
            temporal_attention=partial(temporal_attention, levels - 1),
        )

        self.up_blocks = nn.ModuleList()
        below = widths[-1]
        for index, kind in enumerate(config.up_block_types):
            level = levels - 1 - index
            inputs = []
            for _ in range(depths[level] + 1):
                inputs.append(below + skips.pop())
                below = widths[level]
            self.up_blocks.append(
                Level(
                    config,
                    inputs,
                    widths[level],
                    up_head_dims[index],
                    attention=_has_attention(kind),
                    only_cross_attention=only_cross[level],
                    temporal_attention=partial(temporal_attention, level),
                    resample="none" if level == 0 else "up",
                )
            )

        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, widths[0], eps=config.norm_eps)
        self.conv_activation = get_activation(config.act_fn)
        self.conv_out = nn.Conv2d(widths[0], config.out_channels, 3, padding=1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(PixelUNetConfig.from_dict(config))

    def config_json(self) -> dict[str, Any]:
        return {"_class_name": "UNet3DConditionModel"} | asdict(self.config)

    @property
    def takes_noise_level(self) -> bool:
        return self.class_embedding is not None

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        encoder_hidden_states: Tensor,
        class_labels: Tensor | None = None,
    ) -> Tensor:
        """Predict the noise of a video.

        Args:
            sample: (batch, in_channels, frames, height, width), pixels about [-1, 1]; height and width divisible by
                2^(levels - 1).
            timestep: 0..999, one for all or (batch,).
            encoder_hidden_states: text features (batch, tokens, encoder_hid_dim).
            class_labels: (batch,) noise level 0..999, for networks with `class_embed_type`.
        Returns:
            (batch, out_channels, frames, height, width).
        """
        batch, _, num_frames, _, _ = sample.shape
        time = self._time_embedding(sample, timestep, encoder_hidden_states, class_labels)
        time = time.repeat_interleave(num_frames, dim=0)
        text = self.encoder_hid_proj(encoder_hidden_states).repeat_interleave(num_frames, dim=0)

        hidden: Tensor = self.conv_in(sample.transpose(1, 2).flatten(0, 1))  # (b f) c h w
        if self.config.transfromer_in_opt:
            hidden = self.transformer_in(hidden, num_frames)
        skips = [hidden]
        for block in cast(Iterable[Level], self.down_blocks):
            skips += block.down(skips[-1], time, text, num_frames)
        hidden = self.mid_block(skips[-1], time, text, num_frames)
        for block in cast(Iterable[Level], self.up_blocks):
            hidden = block.up(hidden, skips, time, text, num_frames)
        hidden = self.conv_out(self.conv_activation(self.conv_norm_out(hidden)))
        return rearrange(hidden, "(b f) c h w -> b c f h w", b=batch)

    def _time_embedding(
        self, sample: Tensor, timestep: Tensor | int, text: Tensor, class_labels: Tensor | None
    ) -> Tensor:
        """Embed timestep, noise level and text: (batch, time_width)."""
        batch = sample.shape[0]
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(batch)
        time: Tensor = self.time_embedding(self.time_proj(timesteps).to(sample.dtype))
        if self.class_embedding is not None:
            if class_labels is None:
                raise ValueError("this UNet is conditioned on a noise level: class_labels (batch,) is needed")
            time = time + self.class_embedding(self.time_proj(class_labels).to(sample.dtype))
        time = self.time_activation(time + self.add_embedding(text))
        return time


class Level(nn.Module):
    """One resolution of the UNet: per layer resnet, temporal convolution, attention, temporal attention."""

    def __init__(
        self,
        config: PixelUNetConfig,
        in_channels: list[int],
        channels: int,
        head_dim: int,
        *,
        attention: bool,
        only_cross_attention: bool,
        temporal_attention: Callable[[int, int], TemporalLayer],
        resample: Resample,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_resnet(config, width, channels) for width in in_channels)
        self.temp_convs = nn.ModuleList(_temporal_convolution(config, channels) for _ in in_channels)
        if attention:
            self.attentions = nn.ModuleList(
                _attention(config, channels, head_dim, only_cross_attention=only_cross_attention)
                for _ in in_channels
            )
            self.temp_attentions = nn.ModuleList(temporal_attention(channels, head_dim) for _ in in_channels)
        self.has_attention = attention
        if resample != "none":
            name = "downsamplers" if resample == "down" else "upsamplers"
            setattr(self, name, nn.ModuleList([_resnet(config, channels, channels, resample=resample)]))

    def down(self, hidden: Tensor, time: Tensor, text: Tensor, num_frames: int) -> list[Tensor]:
        """Run the layers, then downsampling: the feature maps after each of them, (batch·frames, channels, height, width)."""
        outputs = []
        for index in range(len(self.resnets)):
            hidden = self._layer(index, hidden, time, text, num_frames)
            outputs.append(hidden)
        for resnet in getattr(self, "downsamplers", ()):
            hidden = resnet(hidden, time)
            outputs.append(hidden)
        return outputs

    def up(self, hidden: Tensor, skips: list[Tensor], time: Tensor, text: Tensor, num_frames: int) -> Tensor:
        """Run the layers, then upsampling; each layer pops the last feature map of the way down from `skips`.

        hidden and skips (batch·frames, channels, height, width), time (batch·frames, width), text (batch·frames, tokens, width).
        """
        for index in range(len(self.resnets)):
            hidden = torch.cat([hidden, skips.pop()], dim=1)
            hidden = self._layer(index, hidden, time, text, num_frames)
        for resnet in getattr(self, "upsamplers", ()):
            hidden = resnet(hidden, time)
        return hidden

    def _layer(self, index: int, hidden: Tensor, time: Tensor, text: Tensor, num_frames: int) -> Tensor:
        """Run layer `index` on (batch·frames, channels, height, width)."""
        hidden = self.temp_convs[index](self.resnets[index](hidden, time), num_frames)
        if self.has_attention:
            hidden = self.temp_attentions[index](self.attentions[index](hidden, text), num_frames)
        return hidden


class MidBlock(nn.Module):
    """The lowest resolution: resnet, then attention and resnet, each followed by its temporal layer."""

    def __init__(
        self,
        config: PixelUNetConfig,
        channels: int,
        head_dim: int,
        *,
        only_cross_attention: bool,
        temporal_attention: Callable[[int, int], TemporalLayer],
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            _resnet(config, channels, channels, output_scale=config.mid_block_scale_factor) for _ in range(2)
        )
        self.temp_convs = nn.ModuleList(_temporal_convolution(config, channels) for _ in range(2))
        self.attentions = nn.ModuleList(
            [_attention(config, channels, head_dim, only_cross_attention=only_cross_attention)]
        )
        self.temp_attentions = nn.ModuleList([temporal_attention(channels, head_dim)])

    def forward(self, hidden: Tensor, time: Tensor, text: Tensor, num_frames: int) -> Tensor:
        """(batch·frames, channels, height, width) to the same; time and text as in `Level.up`."""
        hidden = self.temp_convs[0](self.resnets[0](hidden, time), num_frames)
        hidden = self.temp_attentions[0](self.attentions[0](hidden, text), num_frames)
        hidden = self.temp_convs[1](self.resnets[1](hidden, time), num_frames)
        return hidden


def _resnet(
    config: PixelUNetConfig,
    in_channels: int,
    out_channels: int,
    output_scale: float | None = None,
    resample: Resample = "none",
) -> ResnetBlock:
    return ResnetBlock(
        in_channels,
        out_channels,
        config.time_width,
        config.norm_num_groups,
        config.norm_eps,
        config.act_fn,
        scale_shift=True,
        skip_time_act=config.resnet_skip_time_act,
        output_scale=config.resnet_out_scale_factor if output_scale is None else output_scale,
        resample=resample,
    )


def _attention(
    config: PixelUNetConfig, channels: int, head_dim: int, *, only_cross_attention: bool
) -> AddedKVAttention:
    return AddedKVAttention(
        channels,
        head_dim,
        config.cross_attention_dim,
        config.norm_num_groups,
        config.cross_attention_norm,
        only_cross_attention=only_cross_attention,
    )


def _temporal_convolution(config: PixelUNetConfig, channels: int) -> TemporalConvolution:
    return TemporalConvolution(channels, config.norm_num_groups)


def _published_attention(config: PixelUNetConfig) -> TemporalAttention:
    """Make temporal attention of `attention_head_dim` heads: the published code took the width of a head for their number."""

    def temporal_attention(_level: int, channels: int, head_dim: int) -> TemporalLayer:
        return TemporalTransformer(channels, head_dim, channels // head_dim, config.norm_num_groups)

    return temporal_attention


def _has_attention(block_type: str) -> bool:
    if block_type in ("SimpleCrossAttnDownBlock3D", "SimpleCrossAttnUpBlock3D"):
        return True
    if block_type in ("ResnetDownsampleBlock3D", "ResnetUpsampleBlock3D"):
        return False
    raise CheckpointError(f"a pixel video UNet has no block {block_type}")


def _mid_only_cross(config: PixelUNetConfig) -> bool:
    if config.mid_block_only_cross_attention is not None:
        return config.mid_block_only_cross_attention
    return config.only_cross_attention is True


def _class_embedding(config: PixelUNetConfig, width: int, time_width: int) -> TimestepEmbedding | None:
    if config.class_embed_type is None:
        return None
    if config.class_embed_type == "timestep":
        return TimestepEmbedding(width, time_width, act_fn=config.act_fn)
    raise CheckpointError(
        f'class_embed_type "{config.class_embed_type}" is not known; it may be timestep or null'
    )
