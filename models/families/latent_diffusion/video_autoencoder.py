"""An autoencoder that compresses time as well as space: CogVideoX's (Yang et al., 2024), in any size and number of channels.

The proposal leaves the autoencoder open; with this one the UNet's clip is a quarter as long.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLCogVideoX
from einops import rearrange
from torch import Tensor


def decode_clips(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Decode latents, one video after the other.

    Args:
        latents: (batch, frames / 4, channels, height / 8, width / 8), times the autoencoder's scaling factor.
    Returns:
        Pixels (batch, frames, 3, height, width), about [-1, 1]; four frames of each latent.
    """
    scaled = rearrange(latents / vae.config.scaling_factor, "b f c h w -> b c f h w").to(vae.dtype)
    decoded = torch.cat([vae.decode(video[None]).sample for video in scaled]).float()
    return rearrange(decoded, "b c f h w -> b f c h w")


def frames_per_latent(vae: object) -> int:
    """Return how many frames of a clip one latent holds: 1 for an autoencoder of images."""
    return int(vae.config.temporal_compression_ratio) if isinstance(vae, AutoencoderKLCogVideoX) else 1
