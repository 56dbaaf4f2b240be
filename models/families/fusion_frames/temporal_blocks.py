"""Temporal blocks: whole blocks beside the frozen spatial ones, the paper's choice (FusionFrames, section 4.1, figure 2, right).

All start as the identity. In version 1.0 the first norm of the temporal attention knows the frame's position alone, and all else
the time alone; in version 1.1 every norm knows the sum of both, and the noise level and motion score that are added to the position.
"""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from cascade.models.families.fusion_frames.attention import Attention, attend_frames
from cascade.models.families.fusion_frames.conditioning import Conditioning
from cascade.models.families.fusion_frames.image_unet import KERNEL_SIZES, ConditionalNorm, feed_forward
from cascade.models.layers.temporal import zero_init


class TemporalResidualBlock(nn.Module):
    """The spatial residual block turned into time: convolutions over 1, 3, 3 and 1 frames."""

    def __init__(self, channels: int, time_width: int, groups: int, compression_ratio: int) -> None:
        super().__init__()
        inner = channels // compression_ratio
        widths = (channels, inner, inner, inner, channels)
        convolutions = [
            nn.Conv3d(widths[i], widths[i + 1], (size, 1, 1), padding=(size // 2, 0, 0))
            for i, size in enumerate(KERNEL_SIZES)
        ]
        zero_init(convolutions[-1])
        self.temporal_resnet_blocks = nn.ModuleList(
            nn.ModuleList([ConditionalNorm(groups, width, time_width), nn.SiLU(), convolution])
            for width, convolution in zip(widths, convolutions, strict=False)
        )

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        if conditioning.num_frames is None:
            return hidden
        embedding, mixed = self.embedding(conditioning), hidden
        for block in self.temporal_resnet_blocks:
            norm, activation, convolution = block.children()
            mixed = activation(norm(mixed, embedding))
            mixed = rearrange(mixed, "(b f) c h w -> b c f h w", f=conditioning.num_frames)
            mixed = rearrange(convolution(mixed), "b c f h w -> (b f) c h w")
        return hidden + mixed

    def embedding(self, conditioning: Conditioning) -> Tensor:
        """What the norms know (version 1.0): (frames, time_embed_dim)."""
        return conditioning.time


class TemporalResidualBlock11(TemporalResidualBlock):
    """As in version 1.1."""

    def embedding(self, conditioning: Conditioning) -> Tensor:
        """What the norms know (version 1.1): (frames, time_embed_dim)."""
        return time_and_position(conditioning)


class TemporalAttentionBlock10(nn.Module):
    """Attention of each pixel over the frames, and a feed-forward (version 1.0)."""

    def __init__(
        self, channels: int, time_width: int, groups: int, head_width: int, expansion_ratio: int
    ) -> None:
        super().__init__()
        self.in_norm = ConditionalNorm(groups, channels, time_width)
        self.temporal_attention = zero_attention(channels, head_width)
        self.out_norm = ConditionalNorm(groups, channels, time_width)
        self.feed_forward = zero_feed_forward(channels, expansion_ratio)

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        num_frames, position = conditioning.num_frames, conditioning.position
        if num_frames is None or position is None:
            return hidden
        hidden = hidden + attend_frames(self.temporal_attention, self.in_norm(hidden, position), num_frames)
        output: Tensor = hidden + self.feed_forward(self.out_norm(hidden, conditioning.time))
        return output


class TemporalAttentionBlock11(nn.Module):
    """Attention of each pixel over the frames, and a feed-forward (version 1.1)."""

    def __init__(
        self, channels: int, time_width: int, groups: int, head_width: int, expansion_ratio: int
    ) -> None:
        super().__init__()
        self.temporal_norm = ConditionalNorm(groups, channels, time_width)
        self.temporal_attention = zero_attention(channels, head_width)
        self.ff_norm = ConditionalNorm(groups, channels, time_width)
        self.feed_forward = zero_feed_forward(channels, expansion_ratio)

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(clips·frames, channels, height, width) to the same."""
        if conditioning.num_frames is None:
            return hidden
        embedding = time_and_position(conditioning)
        normed = self.temporal_norm(hidden, embedding)
        hidden = hidden + attend_frames(self.temporal_attention, normed, conditioning.num_frames)
        output: Tensor = hidden + self.feed_forward(self.ff_norm(hidden, embedding))
        return output


def time_and_position(conditioning: Conditioning) -> Tensor:
    """Add the frames' positions, where there are any, to their times: (frames, time_embed_dim)."""
    position = conditioning.position
    return conditioning.time if position is None else conditioning.time + position


def zero_attention(channels: int, head_width: int) -> Attention:
    """Make attention whose output begins as zeros."""
    attention = Attention(channels, channels, channels, head_width)
    zero_init(attention.output_layer)
    return attention


def zero_feed_forward(channels: int, expansion_ratio: int) -> nn.Sequential:
    """Make a feed-forward whose output begins as zeros.

    In the published code it does not, and so a fresh network is not the image network; nothing else depends on it.
    """
    layers = feed_forward(channels, expansion_ratio)
    last = layers[-1]
    assert isinstance(last, nn.Conv2d)
    zero_init(last)
    return layers
