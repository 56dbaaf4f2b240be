"""A quick look at latents without an autoencoder."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.clip import Clip, Latents

PIXELS_PER_LATENT = 8
SPREAD = 2.0
"""Standard deviations from the mean that are shown as black and as white."""


def linear_preview(latents: Latents) -> Clip:
    """Show the first three channels as red, green and blue, as `latent_colours` does.

    Returns:
        Eight times as high and wide, nearest neighbours.
    """
    colours = latent_colours(latents.latents, latents.fps)
    return Clip(_enlarge(colours.frames), latents.fps)


def latent_colours(latents: Tensor, fps: int) -> Clip:
    """Show the first three channels as red, green and blue, each video's channels spread over [-1, 1].

    Args:
        latents: (batch, frames, channels, height, width), with at least one channel; the last one stands in for those that are
            missing.
    Returns:
        (batch, frames, 3, height, width), of the latents' height and width.
    """
    values = latents.float()
    channels = values[:, :, [min(index, values.shape[2] - 1) for index in range(3)]]
    mean = channels.mean(dim=(1, 3, 4), keepdim=True)
    deviation = channels.std(dim=(1, 3, 4), keepdim=True).clamp(min=1e-6)
    return Clip(((channels - mean) / (SPREAD * deviation)).clamp(-1, 1), fps)


def _enlarge(frames: Tensor) -> Tensor:
    """(batch, frames, 3, height, width), enlarged by PIXELS_PER_LATENT."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(folded, scale_factor=float(PIXELS_PER_LATENT), mode="nearest")
    return rearrange(folded, "(b f) c h w -> b f c h w", b=frames.shape[0])
