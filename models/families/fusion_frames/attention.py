"""Attention of the UNets: over the pixels of a frame, from pixels to the text, and over the frames of a pixel."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from cascade.models.layers.attention import attend


class Attention(nn.Module):
    """Scaled dot products without biases, with an output layer; parameter names are the published ones."""

    def __init__(self, width: int, out_width: int, context_width: int, head_width: int) -> None:
        super().__init__()
        if out_width % head_width:
            raise ValueError(f"heads of width {head_width} do not divide {out_width} channels")
        self.heads = out_width // head_width
        self.to_query = nn.Linear(width, out_width, bias=False)
        self.to_key = nn.Linear(context_width, out_width, bias=False)
        self.to_value = nn.Linear(context_width, out_width, bias=False)
        self.output_layer = nn.Linear(out_width, out_width, bias=False)

    def forward(self, hidden: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """hidden (batch, tokens, width), context (batch, context tokens, context_width) to (batch, tokens, out_width).

        Args:
            mask: (batch, context tokens), true for those that are read; None reads all.
        """
        query, key, value = self.to_query(hidden), self.to_key(context), self.to_value(context)
        if mask is None:
            mixed = attend(query, key, value, self.heads)
        else:
            mixed = attend_masked(query, key, value, self.heads, mask)
        output: Tensor = self.output_layer(mixed)
        return output


def attend_masked(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor) -> Tensor:
    """Attend to the keys that a mask leaves; two products, since not every kernel takes a mask.

    Args:
        query, key, value: (batch, tokens, heads·width).
        mask: (batch, tokens of the key).
    """
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    scores = scores.masked_fill(~mask[:, None, None, :], -torch.finfo(scores.dtype).max)
    joined: Tensor = rearrange(scores.softmax(dim=-1) @ value, "b h n d -> b n (h d)")
    return joined


def attend_pixels(
    attention: Attention, hidden: Tensor, context: Tensor | None, mask: Tensor | None
) -> Tensor:
    """Let the pixels of each frame (frames, channels, height, width) attend to the text, or to each other."""
    height = hidden.shape[2]
    pixels = rearrange(hidden, "f c h w -> f (h w) c")
    mixed = attention(pixels, pixels) if context is None else attention(pixels, context, mask)
    output: Tensor = rearrange(mixed, "f (h w) c -> f c h w", h=height)
    return output


def attend_frames(attention: Attention, hidden: Tensor, num_frames: int) -> Tensor:
    """Let each pixel attend over the frames of its clip; all frames see all.

    Args:
        hidden: (clips·frames, channels, height, width).
    """
    height, width = hidden.shape[2:]
    frames = rearrange(hidden, "(b f) c h w -> (b h w) f c", f=num_frames)
    mixed = attention(frames, frames)
    output: Tensor = rearrange(mixed, "(b h w) f c -> (b f) c h w", h=height, w=width)
    return output
