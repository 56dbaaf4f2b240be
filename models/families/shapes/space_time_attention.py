"""Temporal attention for feature maps of a few pixels: it sees all pixels of all frames, and knows where and when each is.

The published networks attend over the frames of one pixel; small networks learn motion much sooner with this.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.layers.temporal import TemporalTransformer

WAVELENGTH_RATIO = 100.0
POSITION_SIZE = 0.5


class SpaceTimeAttention(TemporalTransformer):
    """`TemporalTransformer` over all pixels of all frames, with sinusoidal positions in time, height and width."""

    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Mix all pixels of all frames: (batch·frames, channels, height, width) to the same."""
        height, width = hidden.shape[-2:]
        video = self.norm(rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames))
        sequence = self.proj_in(rearrange(video, "b c f h w -> b (f h w) c"))
        sequence = self.attend(sequence + positions((num_frames, height, width), sequence))
        sizes = {"f": num_frames, "h": height, "w": width}
        mixed: Tensor = rearrange(self.proj_out(sequence), "b (f h w) c -> (b f) c h w", **sizes)
        return hidden + mixed


def positions(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Sines and cosines of every place in a grid (Vaswani et al., 2017, section 3.5), an equal share of channels an axis.

    Args:
        sizes: of the grid's axes.
        like: (batch, places, channels); gives channels, dtype and device.
    Returns:
        (places, channels), values in [-POSITION_SIZE, POSITION_SIZE]; channels that are left over are zero.
    """
    channels = like.shape[-1]
    waves = channels // (2 * len(sizes))
    rates = WAVELENGTH_RATIO ** (-torch.arange(waves, device=like.device) / waves)
    axes = torch.meshgrid(*(torch.arange(size, device=like.device) for size in sizes), indexing="ij")
    angles = [axis.flatten()[:, None] * rates for axis in axes]
    table = torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
    return POSITION_SIZE * functional.pad(table, (0, channels - table.shape[1])).to(like.dtype)
