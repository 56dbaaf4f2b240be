"""Temporal layers that turn an image UNet into a video UNet (Show-1, section 3.2).

Both start as the identity: a freshly extended image model gives every frame what it gave before.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.layers.attention import TransformerBlock

WAVELENGTH_RATIO = 100.0
POSITION_SIZE = 0.5


class TemporalConvolution(nn.Module):
    """Four convolutions along time, after each spatial resnet; residual, the last one zero at the start."""

    def __init__(self, channels: int, norm_num_groups: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.enabled = True

        def layer(*, with_dropout: bool) -> nn.Sequential:
            norm = [nn.GroupNorm(norm_num_groups, channels), nn.SiLU()]
            conv = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))
            return nn.Sequential(*norm, *([nn.Dropout(dropout)] if with_dropout else []), conv)

        self.conv1 = layer(with_dropout=False)
        self.conv2 = layer(with_dropout=True)
        self.conv3 = layer(with_dropout=True)
        self.conv4 = layer(with_dropout=True)
        nn.init.zeros_(self.conv4[-1].weight)
        nn.init.zeros_(self.conv4[-1].bias)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """(batch·frames, channels, height, width) to the same."""
        if not self.enabled:
            return hidden
        video = rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames)
        video = self.conv4(self.conv3(self.conv2(self.conv1(video))))
        return hidden + rearrange(video, "b c f h w -> (b f) c h w")


class TemporalTransformer(nn.Module):
    """Self-attention of every pixel over its frames; residual, the output projection zero at the start.

    Args:
        channels: of the feature map.
        heads, head_width: of the attention; heads x head_width may differ from `channels`.
        across_space: attend to all pixels of all frames, where the feature map is small enough, and know where and
            when each of them is. The published networks do neither; small ones learn motion much sooner so.

    The library in which the published checkpoints ran reshaped the output (frames, channels) of each pixel as
    (channels, frames), moved both before height and width, and reshaped the whole to (batch·frames, channels):
    the two reinterpretations undo each other, so the plain order here is theirs (the golden cases show it).
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        head_width: int,
        norm_num_groups: int = 32,
        *,
        across_space: bool = False,
    ) -> None:
        super().__init__()
        self.enabled = True
        self.across_space = across_space
        width = heads * head_width
        self.norm = nn.GroupNorm(norm_num_groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, head_width)])
        self.proj_out = nn.Linear(width, channels)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """(batch·frames, channels, height, width) to the same."""
        if not self.enabled:
            return hidden
        height, width = hidden.shape[-2:]
        video = self.norm(rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames))
        tokens = "b (f h w) c" if self.across_space else "(b h w) f c"
        sequence = self.proj_in(rearrange(video, f"b c f h w -> {tokens}"))
        if self.across_space:
            sequence = sequence + positions((num_frames, height, width), sequence)
        for block in self.transformer_blocks:
            sequence = block(sequence)
        sizes = {"f": num_frames, "h": height, "w": width}
        return hidden + rearrange(self.proj_out(sequence), f"{tokens} -> (b f) c h w", **sizes)


def positions(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Sines and cosines of every place in a grid, (places, channels), of the channels, dtype and device of `like`.

    Each axis has an equal share of the channels; those that are left over are zero.
    """
    channels = like.shape[-1]
    waves = channels // (2 * len(sizes))
    rates = WAVELENGTH_RATIO ** (-torch.arange(waves, device=like.device) / waves)
    axes = torch.meshgrid(*(torch.arange(size, device=like.device) for size in sizes), indexing="ij")
    angles = [axis.flatten()[:, None] * rates for axis in axes]
    table = torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
    return POSITION_SIZE * functional.pad(table, (0, channels - table.shape[1])).to(like.dtype)


def enable_temporal(unet: nn.Module, *, enabled: bool) -> None:
    """Switch the temporal layers of a video UNet on, or off: then it is the image UNet within it."""
    for module in unet.modules():
        if isinstance(module, TemporalConvolution | TemporalTransformer):
            module.enabled = enabled


def is_temporal(parameter_name: str) -> bool:
    """Whether a UNet parameter belongs to a temporal layer; the others are the image model's."""
    parts = parameter_name.split(".")
    return any(part in ("temp_convs", "temp_attentions", "transformer_in") for part in parts)
