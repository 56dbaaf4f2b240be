"""What the blocks of a UNet see beside the feature map, and the embeddings that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cascade.models.families.fusion_frames.attention import Attention

MAX_PERIOD = 10000


@dataclass(frozen=True)
class Conditioning:
    """Everything is per frame, and the frames of all clips are folded into the batch, clip after clip.

    Attributes:
        time: (frames, time_embed_dim), with the pooled text in it.
        context: (frames, tokens, context_dim), the projected text.
        context_mask: (frames, tokens), true for tokens that are read.
        num_frames: of one clip; None switches every temporal part off: the network is the image network.
        position: (frames, time_embed_dim), of each frame in its clip.
        temporal_mask: (frames,), 0 switches the temporal layers of a frame off; None is 1 for all.
    """

    time: Tensor
    context: Tensor | None = None
    context_mask: Tensor | None = None
    num_frames: int | None = None
    position: Tensor | None = None
    temporal_mask: Tensor | None = None


class Sinusoids(nn.Module):
    """Sines, then cosines of a number, of frequencies 10000^(-i / (half - 1))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.waves = width // 2

    def forward(self, values: Tensor) -> Tensor:
        """(count,) to (count, width), float32."""
        steps = torch.arange(self.waves, device=values.device, dtype=torch.float32)
        angles = values.float()[:, None] * torch.exp(steps * -(math.log(MAX_PERIOD) / (self.waves - 1)))
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class NumberEmbedding(nn.Sequential):
    """Embeds one number per frame: a timestep, a position, a noise level, a motion score."""

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__(
            Sinusoids(sinusoids), nn.Linear(sinusoids, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, values: Tensor) -> Tensor:
        """(frames,) to (frames, width), in the precision of the weights."""
        sinusoids, first, activation, second = self.children()
        numbers = sinusoids(values).to(next(self.parameters()).dtype)
        embedded: Tensor = second(activation(first(numbers)))
        return embedded


class TextPooling(nn.Module):
    """Adds the text to the time embedding: attention whose query is the mean of all tokens, padding included."""

    def __init__(self, width: int, context_width: int, head_width: int) -> None:
        super().__init__()
        self.attention = Attention(context_width, width, context_width, head_width)

    def forward(self, time: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """time (frames, width), context (frames, tokens, context_width), mask (frames, tokens) to (frames, width)."""
        pooled: Tensor = self.attention(context.mean(dim=1, keepdim=True), context, mask)
        return time + pooled.squeeze(1)
