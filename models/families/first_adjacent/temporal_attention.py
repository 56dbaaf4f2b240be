"""Temporal First-Adjacent Attention: each frame looks at the frame before it and at the first one (section 3.3.2)."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from cascade.models.layers.temporal import TemporalLayer, zero_init

MAX_PERIOD = 10_000
"""Of the slowest sine of the temporal embedding (Vaswani et al., 2017, section 3.5), as a power of which all are spaced."""


class FirstAdjacentAttention(TemporalLayer):
    """Attention of every pixel over two frames, equations 3.11, 3.14 and 3.15; residual, its output zero at the start.

    The two keys of a query are gathered, so that time and memory grow with the number of frames and not with its square.

    Args:
        channels: of the feature map.
        heads: of the attention, as many as in the spatial attention before it.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        zero_init(self.to_out)

    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Attend along time: (batch·frames, channels, height, width) to the same."""
        height, width = hidden.shape[-2:]
        tokens = rearrange(hidden, "(b f) c h w -> b f (h w) c", f=num_frames)
        mixed: Tensor = rearrange(self.attend(tokens), "b f (h w) c -> (b f) c h w", h=height, w=width)
        return hidden + mixed

    def attend(self, tokens: Tensor) -> Tensor:
        """Compute what the attention adds to tokens (batch, frames, pixels, channels): the same shape."""
        embedding = temporal_embedding(tokens.shape[1], tokens.shape[-1]).to(tokens)
        tokens = self.norm(tokens) + embedding[:, None]
        query, key, value = (
            rearrange(projection(tokens), "b f n (h d) -> b f n h d", h=self.heads)
            for projection in (self.to_q, self.to_k, self.to_v)
        )
        mixed = first_adjacent(query, key, value)
        added: Tensor = self.to_out(rearrange(mixed, "b f n h d -> b f n (h d)"))
        return added


def first_adjacent(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend to the previous and the first frame, equation 3.14, all of (batch, frames, ..., width).

    The first frame has none before it and is its own two keys, as it is both keys of the second frame: equal keys average.
    The softmax of two scores is the sigmoid of their difference.
    """
    first, before = key[:, :1], key[:, :-1]  # of the second frame to the last
    lead = (query[:, 1:] * (before - first)).sum(dim=-1, keepdim=True) * query.shape[-1] ** -0.5
    first, before = value[:, :1], value[:, :-1]
    return torch.cat([first, torch.lerp(first, before, lead.sigmoid())], dim=1)


def temporal_embedding(num_frames: int, channels: int) -> Tensor:
    """Return the sinusoidal embedding of the frames' indices, (frames, channels): sines and cosines interleaved."""
    positions = torch.arange(num_frames, dtype=torch.float32)[:, None]
    frequencies = MAX_PERIOD ** (-torch.arange(0, channels, 2, dtype=torch.float32) / channels)
    angles = positions * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
