"""Temporal layers inside the spatial blocks: the paper's baseline for keyframes (FusionFrames, section 4.1, figure 2, left), and
the paper's choice for interpolation (section 4.2, "temporal convolution layers after each spatial convolution").

A layer's output is merged with its input by one learned number times the mask mt of equation 3, per frame: with mt = 0 the
network is exactly the spatial one.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from cascade.models.families.fusion_frames.attention import Attention, attend_frames
from cascade.models.families.fusion_frames.conditioning import Conditioning
from cascade.models.families.fusion_frames.image_unet import (
    AttentionBlock,
    ConditionalNorm,
    Resample,
    SubBlock,
    feed_forward,
)
from cascade.models.families.fusion_frames.temporal_blocks import time_and_position, zero_attention

FIRST_MERGE = 0.5


class TemporalConvolution(nn.Module):
    """x <- (1 - a·mt)·x + a·mt·conv(x) over three frames, with a learned number a."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.temporal_merge = nn.Parameter(torch.empty(1))
        self.temporal_projection = temporal_convolution(channels)
        begin_as_identity(self.temporal_projection, self.temporal_merge)

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        return merge_convolution(hidden, self.temporal_projection, self.temporal_merge, conditioning)


class LayeredSubBlock(SubBlock):
    """A spatial sub-block with a temporal convolution after its own (version 1.1, and the paper's baseline)."""

    def __init__(
        self,
        groups: int,
        channels: int,
        out_channels: int,
        time_width: int,
        kernel_size: int,
        resample: Resample,
    ) -> None:
        super().__init__(groups, channels, out_channels, time_width, kernel_size, resample)
        self.temporal_projection_new = TemporalConvolution(out_channels)

    def mix_frames(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, out_channels, height, width) to the same."""
        mixed: Tensor = self.temporal_projection_new(hidden, conditioning)
        return mixed


class LayeredSubBlock10(SubBlock):
    """The same with the names of version 1.0."""

    def __init__(
        self,
        groups: int,
        channels: int,
        out_channels: int,
        time_width: int,
        kernel_size: int,
        resample: Resample,
    ) -> None:
        super().__init__(groups, channels, out_channels, time_width, kernel_size, resample)
        self.temporal_merge = nn.Parameter(torch.empty(1))
        self.temporal_projection = temporal_convolution(out_channels)
        begin_as_identity(self.temporal_projection, self.temporal_merge)

    def mix_frames(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, out_channels, height, width) to the same."""
        return merge_convolution(hidden, self.temporal_projection, self.temporal_merge, conditioning)


class LayeredAttentionBlock(AttentionBlock):
    """A spatial self-attention block with a normed temporal attention before its feed-forward (figure 2 b, left)."""

    def __init__(
        self,
        channels: int,
        time_width: int,
        context_width: int | None,
        groups: int,
        head_width: int,
        expansion_ratio: int,
    ) -> None:
        super().__init__(channels, time_width, context_width, groups, head_width, expansion_ratio)
        self.temporal_norm = ConditionalNorm(groups, channels, time_width)
        self.temporal_attention = zero_attention(channels, head_width)

    def mix_frames(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        if conditioning.num_frames is None:
            return hidden
        normed = self.temporal_norm(hidden, time_and_position(conditioning))
        mixed = attend_frames(self.temporal_attention, normed, conditioning.num_frames)
        mask = conditioning.temporal_mask
        return hidden + (mixed if mask is None else mixed * mask[:, None, None, None].to(mixed.dtype))


class MergedAttentionBlock(nn.Module):
    """A temporal attention block after each self-attention, merged by two learned numbers (interpolation 1.1)."""

    def __init__(
        self, channels: int, time_width: int, groups: int, head_width: int, expansion_ratio: int
    ) -> None:
        super().__init__()
        self.in_norm = ConditionalNorm(groups, channels, time_width)
        self.attention = Attention(channels, channels, channels, head_width)
        self.out_norm = ConditionalNorm(groups, channels, time_width)
        self.feed_forward = feed_forward(channels, expansion_ratio)
        self.temporal_merge1 = nn.Parameter(torch.zeros(1))
        self.temporal_merge2 = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        if conditioning.num_frames is None:
            return hidden
        normed = self.in_norm(hidden, conditioning.time)
        mixed = attend_frames(self.attention, normed, conditioning.num_frames)
        hidden = merge(hidden, mixed, self.temporal_merge1, conditioning)
        mixed = self.feed_forward(self.out_norm(hidden, conditioning.time))
        return merge(hidden, mixed, self.temporal_merge2, conditioning)


def merge_convolution(
    hidden: Tensor, convolution: nn.Module, weight: Tensor, conditioning: Conditioning
) -> Tensor:
    """Merge (clips·frames, channels, height, width) with its convolution along time."""
    if conditioning.num_frames is None:
        return hidden
    clips = rearrange(hidden, "(b f) c h w -> b c f h w", f=conditioning.num_frames)
    mixed = rearrange(convolution(clips), "b c f h w -> (b f) c h w")
    return merge(hidden, mixed, weight, conditioning)


def merge(hidden: Tensor, mixed: Tensor, weight: Tensor, conditioning: Conditioning) -> Tensor:
    """Return (1 - weight·mt)·hidden + weight·mt·mixed.

    Args:
        hidden, mixed: (clips·frames, channels, height, width).
        weight: (1,).
    """
    if conditioning.temporal_mask is not None:
        weight = weight * conditioning.temporal_mask[:, None, None, None].to(hidden.dtype)
    return (1 - weight) * hidden + weight * mixed


def temporal_convolution(channels: int) -> nn.Conv3d:
    """Make a convolution over three frames."""
    return nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))


def begin_as_identity(convolution: nn.Conv3d, weight: nn.Parameter) -> None:
    """Let a merged convolution begin so that it changes nothing and learns at once.

    The published code begins with zeros, merged with weight 0: then only the weight has a gradient at first. A convolution that
    passes its input on changes nothing whatever the weight, and with one above 0 it has a gradient.
    """
    nn.init.dirac_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    nn.init.constant_(weight, FIRST_MERGE)
