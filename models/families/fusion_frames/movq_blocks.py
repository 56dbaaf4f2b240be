"""The blocks of MoVQ (Zheng et al., 2022): residual blocks and attention whose norms are modulated by the latent.

All work on the frames of one clip as a batch; module names are those of the published checkpoints.
"""

from __future__ import annotations

from diffusers.models.attention_processor import SpatialNorm
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.layers.attention import plain_attention

NORM_GROUPS = 32
NORM_EPS = 1e-6


class PlainNorm(nn.Module):
    """A group norm that no latent modulates: the encoder's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_layer = nn.GroupNorm(NORM_GROUPS, channels, eps=NORM_EPS)

    def forward(self, hidden: Tensor, _latent: Tensor | None) -> Tensor:
        """(frames, channels, height, width) to the same."""
        normed: Tensor = self.norm_layer(hidden)
        return normed


def norm(channels: int, latent_channels: int | None) -> nn.Module:
    """Make the norm of the decoder, GroupNorm · conv_y(latent) + conv_b(latent), or with None that of the encoder."""
    return PlainNorm(channels) if latent_channels is None else SpatialNorm(channels, latent_channels)


class ResnetBlock(nn.Module):
    """Norm, SiLU, convolution, twice; a 1x1 convolution on the shortcut where the width changes."""

    def __init__(self, channels: int, out_channels: int, latent_channels: int | None) -> None:
        super().__init__()
        self.norm1 = norm(channels, latent_channels)
        self.conv1 = self.convolution(channels, out_channels)
        self.norm2 = norm(out_channels, latent_channels)
        self.conv2 = self.convolution(out_channels, out_channels)
        if channels != out_channels:
            self.nin_shortcut = nn.Conv2d(channels, out_channels, 1)

    @staticmethod
    def convolution(channels: int, out_channels: int) -> nn.Module:
        """Make one of the two convolutions."""
        return nn.Conv2d(channels, out_channels, 3, padding=1)

    def forward(self, hidden: Tensor, latent: Tensor | None) -> Tensor:
        """hidden (frames, channels, height, width), latent (frames, latent_channels, ...) to (frames, out_channels, height, width)."""
        shortcut = self.nin_shortcut(hidden) if hasattr(self, "nin_shortcut") else hidden
        hidden = self.first(functional.silu(self.norm1(hidden, latent)))
        hidden = self.second(functional.silu(self.norm2(hidden, latent)))
        output: Tensor = shortcut + hidden
        return output

    def first(self, hidden: Tensor) -> Tensor:
        """The first convolution: (frames, channels, height, width) to (frames, out_channels, height, width)."""
        output: Tensor = self.conv1(hidden)
        return output

    def second(self, hidden: Tensor) -> Tensor:
        """The second convolution: (frames, out_channels, height, width) to the same."""
        output: Tensor = self.conv2(hidden)
        return output


class AttnBlock(nn.Module):
    """Attention of a frame's pixels with one head of full width; residual.

    Attributes:
        first_latent: modulate all frames by the latent of the first: a slip of the published video decoder, in which it was trained.
    """

    def __init__(self, channels: int, latent_channels: int | None, *, first_latent: bool = False) -> None:
        super().__init__()
        self.first_latent = first_latent
        self.norm = norm(channels, latent_channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, hidden: Tensor, latent: Tensor | None) -> Tensor:
        """hidden (frames, channels, height, width), latent (frames, latent_channels, ...) to the shape of hidden."""
        if latent is not None and self.first_latent:
            latent = latent[:1]
        return self.attend(hidden, self.norm(hidden, latent), "f c h w -> f 1 (h w) c")

    def attend(self, hidden: Tensor, normed: Tensor, tokens: str) -> Tensor:
        """Add attention between what `tokens` makes one sequence of: (frames, channels, height, width) to the same."""
        frames, _, height, width = hidden.shape
        query, key, value = (rearrange(part(normed), tokens) for part in (self.q, self.k, self.v))
        mixed = plain_attention(query, key, value)  # few kernels take a head as wide as the features
        before, after = tokens.split(" -> ")
        mixed = rearrange(mixed, f"{after} -> {before}", f=frames, h=height, w=width)
        output: Tensor = hidden + self.proj_out(mixed)
        return output


class Upsample(nn.Module):
    """Doubles height and width, nearest neighbours, and convolves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(frames, channels, height, width) to (frames, channels, 2·height, 2·width)."""
        output: Tensor = self.conv(functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))
        return output


class Downsample(nn.Module):
    """Halves height and width; the padding lies on the right and below."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, hidden: Tensor) -> Tensor:
        """(frames, channels, height, width) to (frames, channels, height / 2, width / 2)."""
        output: Tensor = self.conv(functional.pad(hidden, (0, 1, 0, 1)))
        return output
