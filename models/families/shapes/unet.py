"""The small cascade's network: an unchanged Show-1 pixel UNet with what helps a small one to learn around it.

Before the UNet, the caption's mean clip is put beside the input, and squares of pixels become channels; after it, they become
pixels again, and the prediction is added to the condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.shapes.caption_prior import PRIOR_CHANNELS, CaptionPrior
from cascade.models.families.shapes.layout import VARIABLES
from cascade.models.families.shapes.space_time_attention import SpaceTimeAttention
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.layers.config import from_config, per_level
from cascade.models.layers.temporal import TemporalLayer, TemporalTransformer, zero_init

CONDITION = slice(3, 6)
"""Channels of the input that hold the pixels of the condition."""


@dataclass(frozen=True)
class ShapesUNetConfig:
    """The configuration of a `ShapesUNet`.

    Attributes:
        unet: of the UNet within, which sees folded pixels: its channels are those of the clip x patch_size².
        patch_size: squares of this many pixels a side become the channels of one, so that a small network spends its work
            where things are recognised.
        prior: frames, height and width of the caption prior; None for a network without one.
        residual: add the prediction to the condition; for networks that predict the clean sample, which is close to it.
        attention_across_space: whether the temporal attention of a level sees all pixels; one value or one per level.
        temporal_heads: heads of the temporal attention.
    """

    unet: PixelUNetConfig
    patch_size: int = 1
    prior: tuple[int, int, int] | None = None
    residual: bool = False
    attention_across_space: bool | tuple[bool, ...] = False
    temporal_heads: int = 2

    @classmethod
    def around(cls, unet: PixelUNetConfig, **own: Any) -> Self:
        """Wrap a UNet's configuration that counts the channels of the clip, before folding."""
        config = cls(unet, **own)
        inputs = unet.in_channels + (PRIOR_CHANNELS if config.prior is not None else 0)
        area = config.patch_size**2
        folded = replace(unet, in_channels=inputs * area, out_channels=unet.out_channels * area)
        return replace(config, unet=folded)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """Read a `unet/config.json`.

        Raises:
            CheckpointError: a key would change the arithmetic and is not supported.
        """
        return from_config(cls, {**config, "unet": PixelUNetConfig.from_dict(config["unet"])}, {})


class ShapesUNet(CheckpointNetwork):
    """Predicts noise, v or the clean sample of a pixel video of moving shapes."""

    def __init__(self, config: ShapesUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.prior = None if config.prior is None else CaptionPrior(config.prior, config.unet.encoder_hid_dim)
        levels = len(config.unet.block_out_channels)
        head_dims = per_level(config.unet.attention_head_dim, levels, "attention_head_dim")
        # The small networks were trained with the heads of a level alike on both ways.
        self.unet = PixelVideoUNet(config.unet, self._temporal_attention, up_head_dims=head_dims[::-1])
        if config.residual:
            zero_init(self.unet.conv_out)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(ShapesUNetConfig.from_dict(config))

    def config_json(self) -> dict[str, Any]:
        return {"_class_name": type(self).__name__} | asdict(self.config)

    @property
    def takes_noise_level(self) -> bool:
        return self.unet.takes_noise_level

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        encoder_hidden_states: Tensor,
        class_labels: Tensor | None = None,
        prior: Tensor | None = None,
        layout: Tensor | None = None,
    ) -> Tensor:
        """Predict noise, v or the clean sample of a video, by the scheduler's prediction type.

        Args:
            sample: (batch, channels, frames, height, width), pixels about [-1, 1]; height and width divisible by
                patch_size x 2^(levels - 1).
            timestep: 0..999, one for all or (batch,).
            encoder_hidden_states: text features (batch, tokens, encoder_hid_dim).
            class_labels: (batch,) noise level 0..999, for networks that take one.
            prior: (batch, PRIOR_CHANNELS, frames, height, width), where it was predicted before.
            layout: (batch, len(VARIABLES)) in [-1, 1], for the caption prior; None takes the middle of all.
        Returns:
            (batch, 3, frames, height, width).
        """
        condition = sample[:, CONDITION]
        if self.prior is not None:
            if prior is None:
                prior = self.prior_of(encoder_hidden_states, layout, sample.shape[2:])
            sample = torch.cat([sample, prior.to(sample.dtype)], dim=1)
        folded = fold(sample, self.config.patch_size)
        prediction = unfold(
            self.unet(folded, timestep, encoder_hidden_states, class_labels), self.config.patch_size
        )
        return condition + prediction if self.config.residual else prediction

    def prior_of(self, text: Tensor, layout: Tensor | None, size: Sequence[int]) -> Tensor:
        """Predict the caption prior, resized.

        Args:
            text: (batch, tokens, encoder_hid_dim).
            layout: (batch, len(VARIABLES)) in [-1, 1]; None takes the middle of all.
            size: frames, height and width.
        Returns:
            (batch, PRIOR_CHANNELS, *size), as `CaptionPrior` gives it.
        """
        assert self.prior is not None
        if layout is None:
            layout = text.new_zeros(text.shape[0], len(VARIABLES))
        return functional.interpolate(self.prior(text, layout), tuple(size), mode="trilinear")

    def _temporal_attention(self, level: int, channels: int, _head_dim: int) -> TemporalLayer:
        levels = len(self.config.unet.block_out_channels)
        across = per_level(self.config.attention_across_space, levels, "attention_across_space")
        kind = SpaceTimeAttention if across[level] else TemporalTransformer
        heads = self.config.temporal_heads
        return kind(channels, heads, channels // heads, self.config.unet.norm_num_groups)


def fold(video: Tensor, patch: int) -> Tensor:
    """(batch, channels, frames, height, width) to (batch, channels·patch², frames, height/patch, width/patch)."""
    frames = functional.pixel_unshuffle(rearrange(video, "b c f h w -> (b f) c h w"), patch)
    return rearrange(frames, "(b f) c h w -> b c f h w", b=video.shape[0])


def unfold(video: Tensor, patch: int) -> Tensor:
    """Undo `fold`: (batch, channels·patch², frames, height/patch, width/patch) to (batch, channels, frames, height, width)."""
    frames = functional.pixel_shuffle(rearrange(video, "b c f h w -> (b f) c h w"), patch)
    return rearrange(frames, "(b f) c h w -> b c f h w", b=video.shape[0])
