"""The start: a checkpoint of Stable Diffusion 1 becomes one of this family, which is Stable Diffusion until it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusers import DDIMScheduler

from cascade.models.checkpoints.conversion import Conversion
from cascade.models.errors import CheckpointError
from cascade.models.families.first_adjacent.unet import FirstAdjacentConfig, FirstAdjacentUNet
from cascade.models.families.show1.inflation import inflate, video_config
from cascade.models.families.show1.latent_unet import LatentUNetConfig


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the video checkpoint `target` from Stable Diffusion `source`, whole or not at all.

    Args:
        source: a folder in the diffusers layout, or one file.
        target: a folder that does not exist yet; text encoder, tokenizer and autoencoder of a folder are copied into it.
        in_channels: there is no choice here: the UNet sees noise alone.
    Raises:
        CheckpointError: the source cannot be read, lacks a tensor, or is no latent image model.
    """
    if in_channels is not None:
        raise CheckpointError("first-adjacent attention takes no additional input channels")
    return inflate(source, target, _video_unet, ddim())


def ddim() -> DDIMScheduler:
    """Return the sampler of training and inference (section 4.1), with the noise schedule of Stable Diffusion 1.4."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


def _video_unet(config: Mapping[str, Any]) -> FirstAdjacentUNet:
    """Make the UNet of an image's configuration. Raises CheckpointError for an image model in pixels, or a video model."""
    if config.get("_class_name") not in (None, "UNet2DConditionModel"):
        raise CheckpointError(
            f"first-adjacent attention begins with an image model; the source's UNet is a {config['_class_name']}"
        )
    video = video_config(config)
    if not isinstance(video, LatentUNetConfig):
        raise CheckpointError("first-adjacent attention begins with an image model in latent space")
    return FirstAdjacentUNet(FirstAdjacentConfig(**asdict(video)))
