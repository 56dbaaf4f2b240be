"""Image models in one file, as Stable Diffusion 1 and 2 were published: `.safetensors` or `.ckpt`, without configurations.

The configuration of the UNet and of the VAE is read off their tensors' shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from torch import Tensor

from cascade.models.checkpoints.tensors import read_tensors
from cascade.models.errors import CheckpointError

UNET = "model.diffusion_model."
VAE = "first_stage_model."
HEADS = 8
"""Heads of every level of Stable Diffusion 1; version 2 has heads of `HEAD_WIDTH` instead."""
HEAD_WIDTH = 64
SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class ImageModel:
    """A single file, taken apart.

    Attributes:
        unet_config, vae_config: as diffusers' `config.json`; no `vae_config` without a VAE in the file.
        unet, vae: tensors by diffusers' names.
        left: names of the file's tensors that are in neither.
    """

    unet_config: dict[str, Any]
    unet: dict[str, Tensor]
    vae_config: dict[str, Any] | None
    vae: dict[str, Tensor]
    left: tuple[str, ...]


def read_image_model(file: Path) -> ImageModel:
    """Read a single file. Raises CheckpointError if it is damaged, or not Stable Diffusion 1 or 2."""
    tensors = dict(read_tensors(file))
    unet = {name.removeprefix(UNET): tensor for name, tensor in tensors.items() if name.startswith(UNET)}
    vae = {name.removeprefix(VAE): tensor for name, tensor in tensors.items() if name.startswith(VAE)}
    try:
        unet_config = _unet_config(unet)
        vae_config = _vae_config(vae) if vae else None
        return ImageModel(
            unet_config,
            convert_ldm_unet_checkpoint(dict(tensors), unet_config),
            vae_config,
            {} if vae_config is None else convert_ldm_vae_checkpoint(dict(tensors), vae_config),
            tuple(name for name in tensors if not name.startswith((UNET, VAE))),
        )
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise CheckpointError(
            f"{file} is not a Stable Diffusion 1 or 2 model in one file (it lacks {error}); other models are "
            "converted from their folder in the diffusers layout"
        ) from error


def _unet_config(unet: Mapping[str, Tensor]) -> dict[str, Any]:
    """Follow the input blocks: resnets, with attention or without, and a downsampling between two levels."""
    widths, attention, layers = [unet["input_blocks.0.0.weight"].shape[0]], [False], [0]
    for block in range(1, _count(unet, r"input_blocks\.(\d+)\.")):
        if f"input_blocks.{block}.0.op.weight" in unet:
            widths.append(widths[-1])
            attention.append(False)
            layers.append(0)
            continue
        widths[-1] = unet[f"input_blocks.{block}.0.out_layers.3.weight"].shape[0]
        attention[-1] = f"input_blocks.{block}.1.proj_in.weight" in unet
        layers[-1] += 1
    projection = next(tensor for name, tensor in unet.items() if name.endswith(".proj_in.weight"))
    text = next(tensor for name, tensor in unet.items() if name.endswith(".attn2.to_k.weight"))
    linear = projection.ndim == 2
    return {
        "_class_name": "UNet2DConditionModel",
        "in_channels": unet["input_blocks.0.0.weight"].shape[1],
        "out_channels": unet["out.2.weight"].shape[0],
        "block_out_channels": widths,
        "layers_per_block": layers[0],
        "down_block_types": ["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in attention],
        "up_block_types": ["CrossAttnUpBlock2D" if has else "UpBlock2D" for has in reversed(attention)],
        "cross_attention_dim": text.shape[1],
        "use_linear_projection": linear,
        "attention_head_dim": [width // HEAD_WIDTH for width in widths] if linear else HEADS,
    }


def _vae_config(vae: Mapping[str, Tensor]) -> dict[str, Any]:
    levels = _count(vae, r"encoder\.down\.(\d+)\.")
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": vae["encoder.conv_in.weight"].shape[1],
        "out_channels": vae["decoder.conv_out.weight"].shape[0],
        "block_out_channels": [
            vae[f"encoder.down.{level}.block.0.conv2.weight"].shape[0] for level in range(levels)
        ],
        "layers_per_block": _count(vae, r"encoder\.down\.0\.block\.(\d+)\."),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": vae["post_quant_conv.weight"].shape[0],
        "act_fn": "silu",
        "norm_num_groups": 32,
        "scaling_factor": SCALING_FACTOR,
    }


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Return how many blocks there are whose number `pattern` finds at the start of a name."""
    return 1 + max(int(found[1]) for name in tensors if (found := re.match(pattern, name)))
