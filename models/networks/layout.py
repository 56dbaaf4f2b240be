"""What a caption's clips look like on average: the part of a video that its words alone decide."""

from __future__ import annotations

import torch
from diffusers.models.attention import FeedForward
from einops import rearrange
from torch import Tensor, nn

from models.networks.attention import Attention

WIDTH, HEADS, LAYERS = 96, 4, 2


class Reader(nn.Module):
    """Learned queries that read a text: cross-attention and feed-forward layers.

    Args:
        queries: how many there are.
        text_width: features of the text.
        outputs: features of what each query makes of it.
    """

    def __init__(self, queries: int, text_width: int, outputs: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.5 * torch.randn(queries, WIDTH))
        self.norm_text = nn.LayerNorm(text_width)
        self.layers = nn.ModuleList(ReaderLayer(text_width) for _ in range(LAYERS))
        self.out = nn.Linear(WIDTH, outputs)

    def forward(self, text: Tensor) -> Tensor:
        """Text (batch, tokens, text_width) to (batch, queries, outputs)."""
        hidden = self.queries.expand(text.shape[0], -1, -1)
        text = self.norm_text(text)
        for layer in self.layers:
            hidden = layer(hidden, text)
        return self.out(hidden)


class Layout(Reader):
    """The mean clip of a caption at a coarse size, by a query for each place and time.

    Not part of Show-1. Trained on squared error, its output is what a denoiser should make of pure noise. A small
    pixel UNet that is given it follows motions and relations, which it hardly learns from cross-attention alone:
    what tells them apart there is a product of word, place and time.

    Args:
        size: frames, height and width of the output.
    """

    def __init__(self, size: tuple[int, int, int], text_width: int) -> None:
        super().__init__(size[0] * size[1] * size[2], text_width, outputs=3)
        self.size = size

    def forward(self, text: Tensor) -> Tensor:
        """Text (batch, tokens, text_width) to (batch, 3, frames, height, width), about [-1, 1]."""
        frames, height, width = self.size
        return rearrange(super().forward(text), "b (f h w) c -> b c f h w", f=frames, h=height, w=width)


class ReaderLayer(nn.Module):
    """Attention to the text and a GEGLU feed-forward of 2x; residual."""

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attn = Attention(WIDTH, HEADS, WIDTH // HEADS, text_width)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.ff = FeedForward(WIDTH, mult=2, activation_fn="geglu")

    def forward(self, hidden: Tensor, text: Tensor) -> Tensor:
        hidden = hidden + self.attn(self.norm1(hidden), text)
        return hidden + self.ff(self.norm2(hidden))
