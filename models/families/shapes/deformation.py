"""Deformed clips: what super-resolution is trained to undo.

Noise conditioning augmentation (Ho et al., 2022) makes a stage forgive noise in its condition. What the small keyframes network
gets wrong is another thing: outlines that bulge, otherwise in each keyframe, and corners that are round. The stages behind it
meet such clips in training, with the true ones to aim at.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

KEYFRAME_DISTANCE = 4
"""Frames from one keyframe to the next; in between, interpolation blends their faults."""
CELL = 3
"""Pixels from one independent displacement to the next; outlines bulge at about this scale."""
MAX_DISPLACEMENT = 0.6
"""Standard deviation of displacements in pixels, at most."""
SHARE_OF_DEFORMED = 0.8


def deform(frames: Tensor, generator: Generator) -> Tensor:
    """Displace pixels a little and blur, most clips and by a strength of their own each.

    Args:
        frames: (batch, frames, channels, height, width), at the keyframes' resolution.
    Returns:
        The same shape.
    """
    batch, count, _, height, width = frames.shape
    share = torch.rand(2, batch, generator=generator) * (
        torch.rand(batch, generator=generator) < SHARE_OF_DEFORMED
    )
    displacement = _displacements(batch, count, height, width, generator) * MAX_DISPLACEMENT
    displacement = displacement * share[0, :, None, None, None, None]
    pixel = torch.tensor([2 / width, 2 / height])
    grid = functional.affine_grid(
        torch.eye(2, 3).expand(batch * count, 2, 3), [batch * count, 1, height, width], align_corners=False
    )
    grid = grid + rearrange(displacement, "b f c h w -> (b f) h w c") * pixel
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    moved = functional.grid_sample(
        folded, grid.to(folded), mode="bicubic", padding_mode="border", align_corners=False
    )
    moved = rearrange(moved, "(b f) c h w -> b f c h w", b=batch)
    blurred = functional.avg_pool2d(moved.flatten(0, 1), 3, stride=1, padding=1, count_include_pad=False)
    return torch.lerp(moved, blurred.view_as(moved), 0.7 * share[1, :, None, None, None, None].to(moved))


def _displacements(batch: int, count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Draw smooth fields of unit variance for keyframes, and blend them in between: (batch, count, 2, height, width).

    The first keyframe is at a random frame, as windows begin anywhere.
    """
    knots = (count - 1) // KEYFRAME_DISTANCE + 2
    coarse = torch.randn(batch * knots, 2, height // CELL + 1, width // CELL + 1, generator=generator)
    fields = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    fields = rearrange(fields, "(b k) c h w -> b k c h w", b=batch)
    start = torch.rand(batch, generator=generator)
    places = start[:, None] + torch.arange(count) / KEYFRAME_DISTANCE
    before = places.long()
    rows = torch.arange(batch)[:, None]
    weight = (places - before)[:, :, None, None, None]
    return torch.lerp(fields[rows, before], fields[rows, (before + 1).clamp(max=knots - 1)], weight)
