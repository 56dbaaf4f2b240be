"""Temporal layers that turn an image UNet into a video UNet (Show-1, section 3.2).

All start as the identity: a freshly inflated image model gives every frame what it gave before.
"""

from __future__ import annotations

from abc import abstractmethod

from einops import rearrange
from torch import Tensor, nn

from cascade.models.layers.attention import TransformerBlock


class TemporalLayer(nn.Module):
    """A layer that mixes the frames of a video, (batch·frames, channels, height, width) to the same.

    Attributes:
        enabled: switched off, the layer is the identity.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Mix the frames unless switched off: (batch·frames, channels, height, width) to the same."""
        return self.mix(hidden, num_frames) if self.enabled else hidden

    @abstractmethod
    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Mix the frames: (batch·frames, channels, height, width) to the same."""


class TemporalConvolution(TemporalLayer):
    """Four convolutions along time, after each spatial resnet; residual, the last one zero at the start."""

    def __init__(self, channels: int, norm_num_groups: int = 32, dropout: float = 0.1) -> None:
        super().__init__()

        def layer(*, with_dropout: bool) -> nn.Sequential:
            norm = nn.GroupNorm(norm_num_groups, channels)
            conv = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))
            between = [nn.Dropout(dropout)] if with_dropout else []
            return nn.Sequential(norm, nn.SiLU(), *between, conv)

        self.conv1 = layer(with_dropout=False)
        self.conv2 = layer(with_dropout=True)
        self.conv3 = layer(with_dropout=True)
        self.conv4 = layer(with_dropout=True)
        last = self.conv4[-1]
        assert isinstance(last, nn.Conv3d)
        zero_init(last)

    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Convolve along time: (batch·frames, channels, height, width) to the same."""
        video = rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames)
        video = self.conv4(self.conv3(self.conv2(self.conv1(video))))
        mixed: Tensor = rearrange(video, "b c f h w -> (b f) c h w")
        return hidden + mixed


class TemporalTransformer(TemporalLayer):
    """Self-attention of every pixel over its frames; residual, the output projection zero at the start.

    Args:
        channels: of the feature map.
        heads, head_width: of the attention; heads x head_width may differ from `channels`.
        norm_num_groups: of the GroupNorm.

    The library in which the published checkpoints ran reshaped the output (frames, channels) of each pixel as
    (channels, frames), moved both before height and width, and reshaped the whole to (batch·frames, channels):
    the two reinterpretations undo each other, so the plain order here is theirs (the golden cases show it).
    """

    def __init__(self, channels: int, heads: int, head_width: int, norm_num_groups: int = 32) -> None:
        super().__init__()
        width = heads * head_width
        self.norm = nn.GroupNorm(norm_num_groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, head_width)])
        self.proj_out = nn.Linear(width, channels)
        zero_init(self.proj_out)

    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Attend along time: (batch·frames, channels, height, width) to the same."""
        height, width = hidden.shape[-2:]
        video = self.norm(rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames))
        sequence = self.attend(self.proj_in(rearrange(video, "b c f h w -> (b h w) f c")))
        mixed: Tensor = rearrange(self.proj_out(sequence), "(b h w) f c -> (b f) c h w", h=height, w=width)
        return hidden + mixed

    def attend(self, sequence: Tensor) -> Tensor:
        """The transformer blocks over (batch, tokens, heads x head_width)."""
        for block in self.transformer_blocks:
            sequence = block(sequence)
        return sequence


def zero_init(layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) -> None:
    """Let a layer that ends a residual branch begin with zeros, so that the branch begins as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def enable_temporal(unet: nn.Module, *, enabled: bool) -> None:
    """Switch the temporal layers of a video UNet on, or off: then it is the image UNet within it."""
    for module in unet.modules():
        if isinstance(module, TemporalLayer):
            module.enabled = enabled


def is_temporal(parameter_name: str) -> bool:
    """Return whether a parameter of a video UNet belongs to a temporal layer; the others are the image model's."""
    parts = parameter_name.split(".")
    return any(part in ("temp_convs", "temp_attentions", "transformer_in") for part in parts)
