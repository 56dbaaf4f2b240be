"""The residual block of both UNets: two convolutions with the time embedding in between."""

from __future__ import annotations

from typing import Literal

from diffusers.models.activations import get_activation
from torch import Tensor, nn
from torch.nn import functional

Resample = Literal["none", "down", "up"]


class ResnetBlock(nn.Module):
    """GroupNorm, activation, convolution, time embedding, and again; residual.

    Args:
        in_channels, out_channels: of the feature map.
        time_width: features of the time embedding.
        groups, eps: of the GroupNorms.
        activation: name of the activation, such as `gelu`.
        scale_shift: the time embedding scales and shifts the normalised features, instead of being added.
        skip_time_act: the time embedding went through its activation before the blocks already.
        output_scale: the sum with the input is divided by it.
        resample: halve (average) or double (nearest) height and width inside the block.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        time_width: int,
        groups: int,
        eps: float,
        activation: str,
        *,
        scale_shift: bool = False,
        skip_time_act: bool = False,
        output_scale: float = 1.0,
        resample: Resample = "none",
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.output_scale = output_scale
        self.resample = resample
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, out_channels * (2 if scale_shift else 1))
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.activation = get_activation(activation)
        self.time_activation = nn.Identity() if skip_time_act else self.activation
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, hidden: Tensor, time: Tensor) -> Tensor:
        """hidden (batch, in_channels, height, width), time (batch, time_width)."""
        shortcut = self._resample(hidden)
        hidden = self.conv1(self._resample(self.activation(self.norm1(hidden))))
        embedding = self.time_emb_proj(self.time_activation(time))[:, :, None, None]
        if self.scale_shift:
            scale, shift = embedding.chunk(2, dim=1)
            hidden = self.norm2(hidden) * (1 + scale) + shift
        else:
            hidden = self.norm2(hidden + embedding)
        hidden = self.conv2(self.activation(hidden))
        if self.conv_shortcut is not None:
            shortcut = self.conv_shortcut(shortcut)
        return (shortcut + hidden) / self.output_scale

    def _resample(self, hidden: Tensor) -> Tensor:
        """Halve or double height and width of (batch, channels, height, width), if the block does."""
        if self.resample == "down":
            return functional.avg_pool2d(hidden, 2)
        if self.resample == "up":
            return functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
        return hidden
