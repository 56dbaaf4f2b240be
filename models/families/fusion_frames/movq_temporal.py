"""What turns the image decoder into a video decoder (FusionFrames, section 4.3): temporal convolutions, temporal attention, temporal
residual blocks, or convolutions that see three frames. The frames of a batch are one clip; all parts begin as the image decoder.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.families.fusion_frames.movq_blocks import AttnBlock, ResnetBlock, norm
from cascade.models.families.fusion_frames.temporal_layers import begin_as_identity
from cascade.models.layers.temporal import zero_init

ALONG_TIME = (3, 1, 1)


class LayeredResnetBlock(ResnetBlock):
    """A residual block with a temporal convolution after each of its two, merged by a learned number."""

    def __init__(
        self, channels: int, out_channels: int, latent_channels: int | None, kernel_size: tuple[int, ...]
    ) -> None:
        super().__init__(channels, out_channels, latent_channels)
        self.temporal_merge1 = nn.Parameter(torch.empty(1))
        self.temporal_projection1 = clip_convolution(out_channels, kernel_size)
        self.temporal_merge2 = nn.Parameter(torch.empty(1))
        self.temporal_projection2 = clip_convolution(out_channels, kernel_size)
        begin_as_identity(self.temporal_projection1, self.temporal_merge1)
        begin_as_identity(self.temporal_projection2, self.temporal_merge2)

    def first(self, hidden: Tensor) -> Tensor:
        """The first convolution and its temporal one: (frames, channels, height, width) to (frames, out_channels, height, width)."""
        hidden, merge = super().first(hidden), self.temporal_merge1
        return (1 - merge) * hidden + merge * over_clip(self.temporal_projection1, hidden)

    def second(self, hidden: Tensor) -> Tensor:
        """The second convolution and its temporal one: (frames, out_channels, height, width) to the same."""
        hidden, merge = super().second(hidden), self.temporal_merge2
        return (1 - merge) * hidden + merge * over_clip(self.temporal_projection2, hidden)


class InflatedResnetBlock(ResnetBlock):
    """A residual block whose convolutions see three frames; load those of the image decoder by `inflate`."""

    @staticmethod
    def convolution(channels: int, out_channels: int) -> nn.Module:
        """Make one of the two convolutions."""
        return nn.Conv3d(channels, out_channels, 3, padding=1)

    def first(self, hidden: Tensor) -> Tensor:
        """The first convolution: (frames, channels, height, width) to (frames, out_channels, height, width)."""
        return over_clip(self.conv1, hidden)

    def second(self, hidden: Tensor) -> Tensor:
        """The second convolution: (frames, out_channels, height, width) to the same."""
        return over_clip(self.conv2, hidden)


class TemporalResnetBlock(nn.Module):
    """Norm, SiLU, convolution over three frames, twice; residual, the last one zero at the start."""

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__()
        self.norm1 = norm(channels, latent_channels)
        self.conv1 = clip_convolution(channels, ALONG_TIME)
        self.norm2 = norm(channels, latent_channels)
        self.conv2 = clip_convolution(channels, ALONG_TIME)
        zero_init(self.conv2)

    def forward(self, hidden: Tensor, latent: Tensor) -> Tensor:
        """hidden (frames, channels, height, width), latent (frames, latent_channels, ...) to the shape of hidden."""
        mixed = over_clip(self.conv1, functional.silu(self.norm1(hidden, latent)))
        return hidden + over_clip(self.conv2, functional.silu(self.norm2(mixed, latent)))


class TemporalAttnBlock(AttnBlock):
    """Attention of each pixel over the frames; the latent does not modulate its norm, whose conv_y and conv_b are unused."""

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__(channels, latent_channels)
        zero_init(self.proj_out)

    def forward(self, hidden: Tensor, _latent: Tensor | None = None) -> Tensor:
        """(frames, channels, height, width) to the same."""
        normed = self.norm.get_submodule("norm_layer")(hidden)
        return self.attend(hidden, normed, "f c h w -> (h w) 1 f c")


def clip_convolution(channels: int, kernel_size: tuple[int, ...]) -> nn.Conv3d:
    """Make a convolution over frames, height and width that keeps all three."""
    size: Any = kernel_size
    padding: Any = tuple(side // 2 for side in kernel_size)
    return nn.Conv3d(channels, channels, size, padding=padding)


def over_clip(convolution: nn.Module, hidden: Tensor) -> Tensor:
    """Run a convolution over the frames of one clip: (frames, channels, height, width) to (frames, out_channels, height, width)."""
    clip = convolution(rearrange(hidden, "f c h w -> 1 c f h w"))
    output: Tensor = rearrange(clip, "1 c f h w -> f c h w")
    return output


def inflate(kernel: Tensor) -> Tensor:
    """Put an image's kernel (out_channels, channels, height, width) into the middle of one over three frames, zeros around it."""
    inflated = kernel.new_zeros(*kernel.shape[:2], 3, *kernel.shape[2:])
    inflated[:, :, 1] = kernel
    return inflated
