"""Inflation: an image UNet becomes a video UNet (Show-1, section 3.2). Spatial weights are copied, temporal layers start as the
identity, and additional input channels as zeros, so that the video model begins as the image model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusers import SchedulerMixin
from safetensors.torch import save_file
from torch import Tensor

from cascade.models.checkpoints.conversion import Conversion, copy_files, files_beside, initialise, writing
from cascade.models.checkpoints.files import read_json, read_weights, write_checksums
from cascade.models.checkpoints.library import refuse_misfits
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.families.show1.single_file import ImageModel, read_image_model
from cascade.models.layers.temporal import is_temporal

VideoUNet = PixelVideoUNet | LatentVideoUNet

IMAGE_DEFAULTS = {
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "DownBlock2D",
    ],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 1280,
    "attention_head_dim": 8,
}
"""What diffusers takes for keys that an image UNet's `config.json` leaves out."""


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the video checkpoint `target` from the checkpoint `source`, whole or not at all.

    Args:
        source: an image checkpoint (DeepFloyd IF or Stable Diffusion layout), a video one, or Stable Diffusion 1 or 2
            in one file.
        target: a folder that does not exist yet; other parts of the source are copied into it.
        in_channels: of the new UNet: 7 for interpolation, 6 for super-resolution; None keeps the source's.
    Raises:
        CheckpointError: the source cannot be read, lacks a tensor, or is of a kind that has no video UNet here.
    """
    return inflate(source, target, lambda config: _video_unet(config, in_channels))


def inflate(
    source: Path,
    target: Path,
    video_unet: Callable[[Mapping[str, Any]], VideoUNet],
    scheduler: SchedulerMixin | None = None,
) -> Conversion:
    """Write the video checkpoint `target` as `convert` does, with a UNet and a scheduler of any family.

    Args:
        video_unet: makes the UNet of the source's configuration; whatever it raises says that there is none.
        scheduler: takes the place of the source's; None keeps that.
    Raises:
        CheckpointError: as `convert`.
    """
    if source.is_file():
        return _inflate_file(source, target, video_unet, scheduler)
    config = read_json(source / "unet" / "config.json")
    unet = _made(video_unet, config, source / "unet")
    conversion = _fill(unet, read_weights(source / "unet"), source / "unet")
    copied, left = files_beside(source, "unet")
    with writing(target) as folder:
        copy_files(copied, source, folder)
        write_network(folder, unet)
        _write_scheduler(scheduler, folder)
        write_checksums(folder)
    return replace(conversion, left=conversion.left + left)


def _inflate_file(
    source: Path,
    target: Path,
    video_unet: Callable[[Mapping[str, Any]], VideoUNet],
    scheduler: SchedulerMixin | None,
) -> Conversion:
    model: ImageModel = read_image_model(source)
    unet = _made(video_unet, model.unet_config, source)
    conversion = _fill(unet, model.unet, source)
    with writing(target) as folder:
        write_network(folder, unet)
        _write_scheduler(scheduler, folder)
        if model.vae_config is not None:
            (folder / "vae").mkdir()
            (folder / "vae" / "config.json").write_text(json.dumps(model.vae_config, indent=2))
            vae = {name: tensor.contiguous() for name, tensor in model.vae.items()}
            save_file(vae, folder / "vae" / "diffusion_pytorch_model.safetensors")
        write_checksums(folder)
    return replace(conversion, left=conversion.left + model.left)


def _write_scheduler(scheduler: SchedulerMixin | None, folder: Path) -> None:
    if scheduler is not None:
        scheduler.save_pretrained(folder / "scheduler")


def _made(
    video_unet: Callable[[Mapping[str, Any]], VideoUNet], config: Mapping[str, Any], source: Path
) -> VideoUNet:
    """Make the video UNet of an image's configuration. Raises CheckpointError if there is none."""
    try:
        return video_unet(config)
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(
            f"{source}: no video UNet can be made of its configuration: {reason}"
        ) from error


def _video_unet(config: Mapping[str, Any], in_channels: int | None) -> VideoUNet:
    """Make Show-1's video UNet of an image's configuration, with so many input channels."""
    video = video_config(config)
    if in_channels is not None:
        if in_channels < video.in_channels:
            raise CheckpointError(
                f"the new UNet cannot have {in_channels} input channels: the source's has {video.in_channels}, which all stay"
            )
        video = replace(video, in_channels=in_channels)
    return PixelVideoUNet(video) if isinstance(video, PixelUNetConfig) else LatentVideoUNet(video)


def _fill(unet: VideoUNet, weights: dict[str, Tensor], source: Path) -> Conversion:
    """Give a video UNet its image's weights. Raises CheckpointError if one is missing or of another shape."""
    weights = {unet.weight_name(name): _linear(name, tensor) for name, tensor in weights.items()}
    conversion = initialise(unet, weights)
    shapes = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    is_video = any(map(is_temporal, conversion.matched))
    faults = [
        f"missing {name} {shapes[name]}" for name in conversion.new if is_video or not is_temporal(name)
    ]
    faults += [
        f"{name} is {tuple(weights[name].shape)}, not {shapes[name]}"
        for name in conversion.left
        if name in shapes
    ]
    refuse_misfits(faults, source)
    return conversion


def _linear(name: str, tensor: Tensor) -> Tensor:
    """Turn a 1x1 convolution around an attention, as Stable Diffusion 1 has it, into the linear layer that it is.

    Args:
        tensor: (channels, channels, 1, 1) for such a convolution; others, of any shape, stay as they are.
    """
    is_projection = name.endswith((".proj_in.weight", ".proj_out.weight")) and tensor.shape[2:] == (1, 1)
    return tensor[:, :, 0, 0] if is_projection else tensor


def video_config(config: Mapping[str, Any]) -> PixelUNetConfig | LatentUNetConfig:
    """Derive the video UNet's configuration from an image or video UNet's `config.json`."""
    blocks = ("down_block_types", "up_block_types", "mid_block_type")
    if config.get("_class_name") == "UNet2DConditionModel":
        config = IMAGE_DEFAULTS | dict(config)
    video = {
        key: json.loads(json.dumps(value).replace("2D", "3D")) if key in blocks else value
        for key, value in config.items()
    }
    if any(kind.startswith(("Simple", "Resnet")) for kind in video.get("down_block_types", ())):
        return PixelUNetConfig.from_dict(video)
    if "2D" in str(config.get("down_block_types")):
        video["attention_head_dim"] = _head_widths(config)
        video["use_linear_projection"] = True  # whichever the source has: see `_linear`
    return LatentUNetConfig.from_dict(video)


def _head_widths(config: Mapping[str, Any]) -> int | list[int]:
    """Return the width of a head, one for all levels if they are alike.

    Stable Diffusion's image UNets give the number of heads as `attention_head_dim`.
    """
    widths: list[int] = config["block_out_channels"]
    heads: int | list[int] = config["attention_head_dim"]
    heads = heads if isinstance(heads, list) else [heads] * len(widths)
    if len(heads) != len(widths) or any(width % number for width, number in zip(widths, heads, strict=True)):
        raise CheckpointError(f"attention heads {heads} do not divide the channels of the levels, {widths}")
    head_widths = [width // number for width, number in zip(widths, heads, strict=True)]
    return head_widths[0] if len(set(head_widths)) == 1 else head_widths
