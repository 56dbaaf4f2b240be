"""The spatial blocks: those of the image UNet, Kandinsky 3.0's, which stays frozen (FusionFrames, section 4.1).

Each has a place where temporal layers may mix the frames (`mix_frames`); here nothing does.
"""

from __future__ import annotations

from enum import Enum

from torch import Tensor, nn

from cascade.models.families.fusion_frames.attention import Attention, attend_pixels
from cascade.models.families.fusion_frames.conditioning import Conditioning
from cascade.models.layers.temporal import zero_init

KERNEL_SIZES = (1, 3, 3, 1)


class Resample(Enum):
    """What a residual block does to height and width."""

    KEEP = "keep"
    HALVE = "halve"
    DOUBLE = "double"


class PassThrough(nn.Module):
    """Stands where a network has no block, so that the others keep their published numbers."""

    def forward(self, hidden: Tensor, _conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) as it is."""
        return hidden


class ConditionalNorm(nn.Module):
    """A group norm whose scale and shift come from an embedding."""

    def __init__(self, groups: int, channels: int, embedding_width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, affine=False)
        linear = nn.Linear(embedding_width, 2 * channels)
        zero_init(linear)
        self.context_mlp = nn.Sequential(nn.SiLU(), linear)

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        """hidden (frames, channels, height, width), embedding (frames, embedding_width) to the shape of hidden."""
        scale, shift = self.context_mlp(embedding)[:, :, None, None].chunk(2, dim=1)
        normed: Tensor = self.norm(hidden) * (scale + 1) + shift
        return normed


class SubBlock(nn.Module):
    """Conditional norm, SiLU, [twice the size], convolution, [half the size]."""

    def __init__(
        self,
        groups: int,
        channels: int,
        out_channels: int,
        time_width: int,
        kernel_size: int,
        resample: Resample,
    ) -> None:
        super().__init__()
        self.group_norm = ConditionalNorm(groups, channels, time_width)
        self.activation = nn.SiLU()
        self.up_sample = double(channels) if resample is Resample.DOUBLE else nn.Identity()
        self.projection = nn.Conv2d(channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.down_sample = halve(out_channels) if resample is Resample.HALVE else nn.Identity()

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) to (frames, out_channels, height', width')."""
        hidden = self.activation(self.group_norm(hidden, conditioning.time))
        hidden = self.projection(self.up_sample(hidden))
        hidden = self.mix_frames(hidden, conditioning)
        output: Tensor = self.down_sample(hidden)
        return output

    def mix_frames(self, hidden: Tensor, _conditioning: Conditioning) -> Tensor:
        """(frames, out_channels, height, width) as it is."""
        return hidden


class ResidualBlock(nn.Module):
    """Four sub-blocks of kernel 1, 3, 3, 1 through a narrower width, and a shortcut with weights of its own."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        time_width: int,
        groups: int,
        compression_ratio: int,
        resample: Resample = Resample.KEEP,
        sub_block: type[SubBlock] = SubBlock,
    ) -> None:
        super().__init__()
        inner = max(channels, out_channels) // compression_ratio
        widths = (channels, inner, inner, inner, out_channels)
        doubles, halves = resample is Resample.DOUBLE, resample is Resample.HALVE
        resamples = (
            Resample.KEEP,
            Resample.DOUBLE if doubles else Resample.KEEP,
            Resample.HALVE if halves else Resample.KEEP,
            Resample.KEEP,
        )
        self.resnet_blocks = nn.ModuleList(
            sub_block(groups, widths[i], widths[i + 1], time_width, KERNEL_SIZES[i], resamples[i])
            for i in range(len(KERNEL_SIZES))
        )
        self.shortcut_up_sample = double(channels) if doubles else nn.Identity()
        self.shortcut_projection = (
            nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        )
        self.shortcut_down_sample = halve(out_channels) if halves else nn.Identity()

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) to (frames, out_channels, height', width')."""
        shortcut = self.shortcut_down_sample(self.shortcut_projection(self.shortcut_up_sample(hidden)))
        for block in self.resnet_blocks:
            hidden = block(hidden, conditioning)
        output: Tensor = shortcut + hidden
        return output


class AttentionBlock(nn.Module):
    """Attention of a frame's pixels, to the text where `context_width` is given, and a feed-forward; each with a norm."""

    def __init__(
        self,
        channels: int,
        time_width: int,
        context_width: int | None,
        groups: int,
        head_width: int,
        expansion_ratio: int,
    ) -> None:
        super().__init__()
        self.reads_text = context_width is not None
        self.in_norm = ConditionalNorm(groups, channels, time_width)
        self.attention = Attention(channels, channels, context_width or channels, head_width)
        self.out_norm = ConditionalNorm(groups, channels, time_width)
        self.feed_forward = feed_forward(channels, expansion_ratio)

    def forward(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) to the same."""
        context = conditioning.context if self.reads_text else None
        normed = self.in_norm(hidden, conditioning.time)
        hidden = hidden + attend_pixels(self.attention, normed, context, conditioning.context_mask)
        hidden = self.mix_frames(hidden, conditioning)
        output: Tensor = hidden + self.feed_forward(self.out_norm(hidden, conditioning.time))
        return output

    def mix_frames(self, hidden: Tensor, _conditioning: Conditioning) -> Tensor:
        """(frames, channels, height, width) as it is."""
        return hidden


def feed_forward(channels: int, expansion_ratio: int) -> nn.Sequential:
    """Make two 1x1 convolutions without biases."""
    inner = expansion_ratio * channels
    return nn.Sequential(
        nn.Conv2d(channels, inner, 1, bias=False), nn.SiLU(), nn.Conv2d(inner, channels, 1, bias=False)
    )


def double(channels: int) -> nn.ConvTranspose2d:
    """Make a layer that doubles height and width."""
    return nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)


def halve(channels: int) -> nn.Conv2d:
    """Make a layer that halves height and width."""
    return nn.Conv2d(channels, channels, kernel_size=2, stride=2)
