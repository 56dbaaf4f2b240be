"""The names of an image MoVQ's tensors in diffusers' VQModel, such as Kandinsky 3's `movq/`, and in the published files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cascade.models.errors import CheckpointError

CODEBOOK = "quantize."
COMMON = (
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.", "mid.attn_1."),
    (r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block."),
    (r"down_blocks\.(\d+)\.attentions\.", r"down.\1.attn."),
    (r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"conv_shortcut\.", "nin_shortcut."),
    (r"conv_norm_out\.", "norm_out."),
    (r"\.to_q\.", ".q."),
    (r"\.to_k\.", ".k."),
    (r"\.to_v\.", ".v."),
    (r"\.to_out\.0\.", ".proj_out."),
    (r"\.spatial_norm\.", ".norm."),
)
ENCODER = (
    (r"\.group_norm\.", ".norm.norm_layer."),
    (r"\.(norm1|norm2|norm_out)\.", r".\1.norm_layer."),
)
ATTENTION_KERNELS = (".q.weight", ".k.weight", ".v.weight", ".proj_out.weight")


def published_names(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Rename the tensors of a VQModel, its codebook left out, and give its attention 1x1 kernels.

    Args:
        levels: of the autoencoder; diffusers counts the decoder's from the lowest, the published names from full size.
    """
    renamed = {}
    for name, tensor in tensors.items():
        if not name.startswith(CODEBOOK):
            own = published_name(name, levels)
            is_kernel = own.endswith(ATTENTION_KERNELS) and tensor.ndim == 2
            renamed[own] = tensor[:, :, None, None] if is_kernel else tensor
    return renamed


def published_name(name: str, levels: int) -> str:
    """Return the published name of a VQModel's tensor."""
    up = re.compile(r"up_blocks\.(\d+)\.(resnets|attentions|upsamplers\.0)\.")
    words = {"resnets": "block", "attentions": "attn", "upsamplers.0": "upsample"}
    name = up.sub(lambda found: f"up.{levels - 1 - int(found[1])}.{words[found[2]]}.", name)
    for pattern, replacement in COMMON + (ENCODER if name.startswith("encoder.") else ()):
        name = re.sub(pattern, replacement, name)
    return name


def published_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the published configuration of a VQModel's `config.json`.

    Raises:
        CheckpointError: it is not a MoVQ with attention on its lowest level alone.
    """
    widths = config.get("block_out_channels", ())
    attention = ["Attn" in kind for kind in config.get("down_block_types", ())]
    is_movq = config.get("_class_name") == "VQModel" and config.get("norm_type") == "spatial"
    if not is_movq or not widths or attention != [False] * (len(widths) - 1) + [True]:
        raise CheckpointError(
            "it is no MoVQ: a VQModel with spatial norms, and attention on its lowest level"
        )
    resolution = 256
    return {
        "ch": widths[0],
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": config["layers_per_block"],
        "in_channels": config["in_channels"],
        "out_ch": config["out_channels"],
        "z_channels": config["latent_channels"],
        "resolution": resolution,
        "attn_resolutions": [resolution // 2 ** (len(widths) - 1)],
    }
