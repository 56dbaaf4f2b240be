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

from cascade.models.layers.attention import Attention

WIDTH, HEADS, LAYERS = 96, 4, 2
PRIOR_CHANNELS = 3 + 4
"""Red, green and blue, and the four kinds of shape that moving shapes have (SHAPES of its module)."""


class QueryDecoder(nn.Module):
    """Learned queries that attend to a text (as DETR's do to a picture, Carion et al., 2020).

    Args:
        queries: how many there are.
        text_width: features of the text.
        outputs: features that each query gives.
    """

    def __init__(self, queries: int, text_width: int, outputs: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.5 * torch.randn(queries, WIDTH))
        self.norm_text = nn.LayerNorm(text_width)
        self.layers = nn.ModuleList(QueryDecoderLayer(text_width) for _ in range(LAYERS))
        self.out = nn.Linear(WIDTH, outputs)

    def forward(self, text: Tensor) -> Tensor:
        """Text (batch, tokens, text_width) to (batch, queries, outputs)."""
        hidden: Tensor = self.queries.expand(text.shape[0], -1, -1)
        text = self.norm_text(text)
        for layer in self.layers:
            hidden = layer(hidden, text)
        hidden = self.out(hidden)
        return hidden


class CaptionPrior(QueryDecoder):
    """The mean clip of a caption and where it has which shape, at a coarse size, by a query for each place and time.

    Its colours are what a denoiser should make of pure noise. A mean over many places has no outlines left, so that
    it also says how much of a place is covered by each kind of shape on average.

    Args:
        size: frames, height and width of the output.
    """

    def __init__(self, size: tuple[int, int, int], text_width: int) -> None:
        super().__init__(size[0] * size[1] * size[2], text_width, PRIOR_CHANNELS)
        self.size = size

    def forward(self, text: Tensor) -> Tensor:
        """Predict the mean clip of texts.

        Args:
            text: (batch, tokens, text_width).
        Returns:
            (batch, PRIOR_CHANNELS, frames, height, width): colours, about [-1, 1], then for each of SHAPES twice the
            share of a place that it covers, about [0, 2].
        """
        frames, height, width = self.size
        return rearrange(super().forward(text), "b (f h w) c -> b c f h w", f=frames, h=height, w=width)


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
