"""Turning an image UNet into a video UNet (Show-1, section 3.2): spatial weights are copied, temporal layers start
as the identity, and additional input channels as zeros, so that the video model begins as the image model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cascade.models.checkpoints.files import UNET_CLASSES, read_json, read_weights, write_checksums
from cascade.models.checkpoints.writing import write_unet
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig


@dataclass(frozen=True)
class Conversion:
    """Names of tensors: copied from the source, new in the target, and left behind in the source."""

    matched: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the video checkpoint `target` from the checkpoint `source`.

    Args:
        source: an image checkpoint (DeepFloyd IF or Stable Diffusion layout) or a video one.
        target: a folder that does not exist yet; other parts of the source are copied into it.
        in_channels: of the new UNet: 7 for interpolation, 6 for super-resolution; None keeps the source's.
    Raises:
        CheckpointError: the source cannot be read, or is of a kind that has no video UNet here.
    """
    if target.exists():
        raise CheckpointError(f"{target} is there already; choose a new folder")
    config = video_config(read_json(source / "unet" / "config.json"))
    if in_channels is not None:
        config = type(config)(**asdict(config) | {"in_channels": in_channels})
    unet = UNET_CLASSES[type(config)](config)
    conversion = initialise(unet, read_weights(source / "unet"))

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("unet", "*.bin", "*.ckpt", "*.pt"))
    write_unet(target, unet, config)
    write_checksums(target)
    return conversion


def initialise(unet: nn.Module, tensors: Mapping[str, Tensor]) -> Conversion:
    """Copy what fits of another UNet's weights into `unet`; additional input channels become zeros."""
    own = unet.state_dict()
    matched = []
    for name, tensor in tensors.items():
        wanted = own.get(name)
        fitted = None if wanted is None else _fitted(tensor, wanted, name)
        if fitted is not None:
            own[name] = fitted.to(wanted.dtype)
            matched.append(name)
    unet.load_state_dict(own)
    return Conversion(
        matched=tuple(matched),
        new=tuple(name for name in own if name not in tensors),
        left=tuple(name for name in tensors if name not in matched),
    )


def video_config(config: Mapping[str, Any]) -> PixelUNetConfig | LatentUNetConfig:
    """The video UNet's configuration for an image or video UNet's `config.json`."""
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
    """Image UNets of Stable Diffusion give the number of heads as `attention_head_dim`, one or per level."""
    widths, heads = config["block_out_channels"], config["attention_head_dim"]
    heads = heads if isinstance(heads, list) else [heads] * len(widths)
    found = {width // number for width, number in zip(widths, heads, strict=True)}
    if len(found) > 1:
        raise CheckpointError(f"the levels have heads of different widths {sorted(found)}; one is needed")
    return found.pop()


def _fitted(tensor: Tensor, wanted: Tensor, name: str) -> Tensor | None:
    """`tensor` in the shape of `wanted`: as it is, or with zeros for additional input channels."""
    if tensor.shape == wanted.shape:
        return tensor
    if name == "conv_in.weight" and tensor.shape[1] < wanted.shape[1]:
        padded = torch.zeros_like(wanted)
        padded[:, : tensor.shape[1]] = tensor
        return padded
    return None
