"""The caption prior: predicts the mean clip of a caption, the part of a video that its words alone decide.

Not part of Show-1. What tells motions, relations and the shapes of two things apart is a product of word, place and
time, which the cross-attention of a small UNet hardly learns from a denoiser's loss. A network that makes the mean of
all clips of a caption, trained on squared error, learns it in minutes.
"""

from __future__ import annotations

import torch
from diffusers.models.attention import FeedForward
from einops import rearrange
from torch import Tensor, nn

from cascade.models.families.shapes.layout import VARIABLES
from cascade.models.layers.attention import Attention

WIDTH, HEADS, LAYERS = 96, 4, 3
PRIOR_CHANNELS = 3 + 4
"""Red, green and blue, and the four kinds of shape that moving shapes have (SHAPES of its module)."""


class QueryDecoder(nn.Module):
    """Queries that attend to a text (as DETR's do to a picture, Carion et al., 2020).

    Args:
        text_width: features of the text.
    """

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.norm_text = nn.LayerNorm(text_width)
        self.layers = nn.ModuleList(QueryDecoderLayer(text_width) for _ in range(LAYERS))

    def decode(self, queries: Tensor, text: Tensor) -> Tensor:
        """Read text (batch, tokens, text_width) by queries (batch, queries, WIDTH): the same shape as the queries."""
        hidden: Tensor = queries
        text = self.norm_text(text)
        for layer in self.layers:
            hidden = layer(hidden, text)
        return hidden


class CaptionPrior(QueryDecoder):
    """The mean clip of a caption and a layout, and where it has which shape, at a coarse size: a query for each place and time.

    Its colours are what a denoiser should make of pure noise. A mean over many places has no outlines left, so that
    it also says how much of a place is covered by each kind of shape on average.

    Args:
        size: frames, height and width of the output.
    """

    def __init__(self, size: tuple[int, int, int], text_width: int) -> None:
        super().__init__(text_width)
        self.size = size
        self.queries = new_queries(size[0] * size[1] * size[2])
        self.out = nn.Linear(WIDTH, PRIOR_CHANNELS)
        self.layout = nn.Sequential(
            nn.Linear(len(VARIABLES), 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, text: Tensor, layout: Tensor) -> Tensor:
        """Predict the mean clip of texts and layouts.

        Args:
            text: (batch, tokens, text_width).
            layout: (batch, len(VARIABLES)) in [-1, 1].
        Returns:
            (batch, PRIOR_CHANNELS, frames, height, width): colours, about [-1, 1], then for each of SHAPES twice the
            share of a place that it covers, about [0, 2].
        """
        frames, height, width = self.size
        queries = self.queries + self.layout(layout.to(text))[:, None]
        clip: Tensor = self.out(self.decode(queries, text))
        clip = rearrange(clip, "b (f h w) c -> b c f h w", f=frames, h=height, w=width)
        return clip


def new_queries(count: int) -> nn.Parameter:
    """Make learned queries, (count, WIDTH)."""
    return nn.Parameter(0.5 * torch.randn(count, WIDTH))


class QueryDecoderLayer(nn.Module):
    """Attention to the text and a GEGLU feed-forward of 2x; residual."""

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attn = Attention(WIDTH, HEADS, WIDTH // HEADS, text_width)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.ff = FeedForward(WIDTH, mult=2, activation_fn="geglu")

    def forward(self, hidden: Tensor, text: Tensor) -> Tensor:
        """hidden (batch, queries, WIDTH), text (batch, tokens, text_width) to (batch, queries, WIDTH)."""
        hidden = hidden + self.attn(self.norm1(hidden), text)
        hidden = hidden + self.ff(self.norm2(hidden))
        return hidden
