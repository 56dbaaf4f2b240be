"""Attention layers of the UNets; parameter names are those of the published checkpoints."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention import FeedForward
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.errors import CheckpointError


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Attend by scaled dot products (Vaswani et al., 2017, equation 1); (batch, tokens, heads·width) tensors."""
    query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    learning_on_cpu = query.device.type == "cpu" and query.requires_grad
    mix = plain_attention if learning_on_cpu else fused_attention
    joined: Tensor = rearrange(mix(query, key, value), "b h n d -> b n (h d)")
    return joined


def fused_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend by torch's kernels; where a kernel is prescribed that takes whole widths only, with zeros behind each head.

    Zeros change no product of a query and a key, and the zeros of the values are cut off again.

    Args:
        query, key, value: (batch, heads, tokens, width).
    """
    width = query.shape[-1]
    missing = padded_width(width) - width
    flags: Any = torch.backends.cuda
    if not missing or flags.math_sdp_enabled():  # torch may choose what takes any width
        return functional.scaled_dot_product_attention(query, key, value)
    query, key, value = (functional.pad(x, (0, missing)) for x in (query, key, value))
    scale: float = width**-0.5
    return functional.scaled_dot_product_attention(query, key, value, scale=scale)[..., :width]


def padded_width(width: int) -> int:
    """Return the width of a head as the kernels take it: a multiple of 8, which heads of 10, 15 or 20 are not."""
    return -(-width // 8) * 8


def plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend by two products: on a CPU the backward pass of the fused kernel is several times as slow.

    Args:
        query, key, value: (batch, heads, tokens, width).
    """
    scale: float = query.shape[-1] ** -0.5
    scores = (query * scale) @ key.transpose(-1, -2)
    return scores.softmax(dim=-1).to(value.dtype) @ value


class Attention(nn.Module):
    """Self-attention, or cross-attention to a context of `context_width` features."""

    def __init__(self, width: int, heads: int, head_width: int, context_width: int | None = None) -> None:
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context_width or width, inner, bias=False)
        self.to_v = nn.Linear(context_width or width, inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, width)])

    def forward(self, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """hidden (batch, tokens, width), context (batch, context tokens, context_width) to (batch, tokens, width)."""
        context = hidden if context is None else context
        mixed: Tensor = attend(self.to_q(hidden), self.to_k(context), self.to_v(context), self.heads)
        mixed = self.to_out[0](mixed)
        return mixed


class TransformerBlock(nn.Module):
    """Self-attention, a second attention (to the context where there is one), a GEGLU feed-forward of 4x."""

    def __init__(self, width: int, heads: int, head_width: int, context_width: int | None = None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads, head_width)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, head_width, context_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width, activation_fn="geglu")

    def forward(self, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """hidden (batch, tokens, width), context (batch, context tokens, context_width) to (batch, tokens, width)."""
        hidden = hidden + self.attn1(self.norm1(hidden))
        hidden = hidden + self.attn2(self.norm2(hidden), context)
        hidden = hidden + self.ff(self.norm3(hidden))
        return hidden


class SpatialTransformer(nn.Module):
    """A transformer block over the pixels of each frame, attending to the text (latent video UNet)."""

    def __init__(
        self, channels: int, heads: int, head_width: int, context_width: int, norm_num_groups: int = 32
    ) -> None:
        super().__init__()
        width = heads * head_width
        self.norm = nn.GroupNorm(norm_num_groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, head_width, context_width)])
        self.proj_out = nn.Linear(width, channels)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """hidden (batch, channels, height, width), context (batch, tokens, features)."""
        height, width = hidden.shape[-2:]
        sequence = self.proj_in(rearrange(self.norm(hidden), "b c h w -> b (h w) c"))
        for block in self.transformer_blocks:
            sequence = block(sequence, context)
        mixed: Tensor = rearrange(self.proj_out(sequence), "b (h w) c -> b c h w", h=height, w=width)
        return hidden + mixed


class AddedKVAttention(nn.Module):
    """DeepFloyd IF's attention: text keys and values are put before the pixels' own.

    Args:
        channels: of the feature map.
        head_width: channels of one head.
        text_width: features of the projected text.
        norm_num_groups: groups of the norms of the feature map and of the text.
        cross_attention_norm: `group_norm` normalises the text before it is projected, None does not.
        only_cross_attention: attend to the text alone, without the pixels' own keys and values.

    Raises:
        CheckpointError: the channels cannot be split into such heads, or the norm is not known.
    """

    def __init__(
        self,
        channels: int,
        head_width: int,
        text_width: int,
        norm_num_groups: int,
        cross_attention_norm: str | None,
        *,
        only_cross_attention: bool,
    ) -> None:
        super().__init__()
        if channels % head_width:
            raise CheckpointError(f"{channels} channels cannot be split into heads of {head_width}")
        self.heads = channels // head_width
        self.only_cross_attention = only_cross_attention
        self.group_norm = nn.GroupNorm(norm_num_groups, channels)
        self.norm_cross = _text_norm(cross_attention_norm, text_width)
        self.to_q = nn.Linear(channels, channels)
        if not only_cross_attention:
            self.to_k = nn.Linear(channels, channels)
            self.to_v = nn.Linear(channels, channels)
        self.add_k_proj = nn.Linear(text_width, channels)
        self.add_v_proj = nn.Linear(text_width, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, hidden: Tensor, text: Tensor) -> Tensor:
        """hidden (batch, channels, height, width), text (batch, tokens, text_width)."""
        height, width = hidden.shape[-2:]
        pixels = rearrange(self.group_norm(hidden), "b c h w -> b (h w) c")
        if isinstance(self.norm_cross, nn.GroupNorm):
            text = self.norm_cross(text.transpose(1, 2)).transpose(1, 2)
        elif self.norm_cross is not None:
            text = self.norm_cross(text)
        key, value = self.add_k_proj(text), self.add_v_proj(text)
        if not self.only_cross_attention:
            key = torch.cat([key, self.to_k(pixels)], dim=1)
            value = torch.cat([value, self.to_v(pixels)], dim=1)
        mixed: Tensor = self.to_out[0](attend(self.to_q(pixels), key, value, self.heads))
        return hidden + rearrange(mixed, "b (h w) c -> b c h w", h=height, w=width)


def _text_norm(kind: str | None, text_width: int) -> nn.Module | None:
    if kind is None:
        return None
    if kind == "group_norm":
        return nn.GroupNorm(32, text_width)
    if kind == "layer_norm":
        return nn.LayerNorm(text_width)
    raise CheckpointError(
        f'cross_attention_norm "{kind}" is not known; it may be group_norm, layer_norm or null'
    )
