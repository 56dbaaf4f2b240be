"""Inflation: an image UNet becomes a video UNet (Show-1, section 3.2). Spatial weights are copied, temporal layers start as the
identity, and additional input channels as zeros, so that the video model begins as the image model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cascade.models.checkpoints.conversion import Conversion, initialise
from cascade.models.checkpoints.files import read_json, read_weights, write_checksums
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the video checkpoint `target` from the checkpoint `source`.

    Args:
        source: an image checkpoint (DeepFloyd IF or Stable Diffusion layout) or a video one.
        target: a folder that does not exist yet; other parts of the source are copied into it.
        in_channels: of the new UNet: 7 for interpolation, 6 for super-resolution; None keeps the source's.
    Raises:
        CheckpointError: the source cannot be read, or is of a kind that has no video UNet here.
    """
    config = video_config(read_json(source / "unet" / "config.json"))
    if in_channels is not None:
        config = replace(config, in_channels=in_channels)
    unet = PixelVideoUNet(config) if isinstance(config, PixelUNetConfig) else LatentVideoUNet(config)
    conversion = initialise(unet, read_weights(source / "unet"))

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("unet", "*.bin", "*.ckpt", "*.pt"))
    write_network(target, unet)
    write_checksums(target)
    return conversion


def video_config(config: Mapping[str, Any]) -> PixelUNetConfig | LatentUNetConfig:
    """Derive the video UNet's configuration from an image or video UNet's `config.json`."""
    blocks = ("down_block_types", "up_block_types", "mid_block_type")
    video = {
        key: json.loads(json.dumps(value).replace("2D", "3D")) if key in blocks else value
        for key, value in config.items()
    }
    if any(kind.startswith(("Simple", "Resnet")) for kind in video.get("down_block_types", ())):
        return PixelUNetConfig.from_dict(video)
    if "2D" in str(config.get("down_block_types")):
        video["attention_head_dim"] = _head_width(config)
    return LatentUNetConfig.from_dict(video)


def _head_width(config: Mapping[str, Any]) -> int:
    """Return the width of a head: Stable Diffusion's image UNets give the number of heads as `attention_head_dim`."""
    widths: list[int] = config["block_out_channels"]
    heads: int | list[int] = config["attention_head_dim"]
    heads = heads if isinstance(heads, list) else [heads] * len(widths)
    head_widths = {width // number for width, number in zip(widths, heads, strict=True)}
    if len(head_widths) > 1:
        raise CheckpointError(
            f"the levels have heads of different widths {sorted(head_widths)}; one is needed"
        )
    return head_widths.pop()
