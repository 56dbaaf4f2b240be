"""Growing the video networks from an image network: Kandinsky 3.0's UNet, whose weights stay frozen in the keyframe UNet (section
4.1), and are the start of the interpolation UNet (section 4.2 and appendix A).

Kandinsky 3's folder in the diffusers layout is the source: `unet/` holds the projection of the text too, `movq/` the autoencoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.kandinsky3.convert_kandinsky3_unet import convert_state_dict
from torch import Tensor

from cascade.models.checkpoints.conversion import Conversion, copy_files, files_beside, writing
from cascade.models.checkpoints.files import read_json, read_weights, write_checksums
from cascade.models.checkpoints.library import misfits, refuse_misfits
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.interpolation_unet import InterpolationUNet
from cascade.models.families.fusion_frames.keyframes_unet import KeyframesUNet
from cascade.models.families.fusion_frames.movq_names import published_config, published_names
from cascade.models.families.fusion_frames.networks import (
    Autoencoder,
    InterpolationNetwork,
    KeyframesNetwork,
    TextUNet,
)
from cascade.models.families.fusion_frames.unet_config import BLOCKS_1_0, NO_PARTS
from cascade.models.presets.kandinsky_video import FRAMES_BETWEEN

IMAGE_UNET = "Kandinsky3UNet"
LEVELS = 4
TEXT = "encoder_hid_proj."
PROJECTION = {
    "projection_linear.weight": "0.weight",
    "projection_norm.weight": "1.weight",
    "projection_norm.bias": "1.bias",
}


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the checkpoint `target` of one stage from Kandinsky 3's folder, whole or not at all.

    Args:
        source: the image model in the diffusers layout.
        target: a folder that does not exist yet: `keyframes/` or `interpolation/`, `autoencoder/` where the source has a
            `movq/`, and its other parts as they are.
        in_channels: times the source's: 1 (or None) keyframes, 2 and one more keyframes with a first frame (9), 5
            interpolation (20).
    Raises:
        CheckpointError: the source cannot be read, or is no Kandinsky 3.
    """
    if not source.is_dir():
        raise CheckpointError(f"{source} is not a folder in the diffusers layout")
    config = read_json(source / "unet" / "config.json")
    if config.get("_class_name") != IMAGE_UNET:
        raise CheckpointError(f"{source / 'unet'} is a {config.get('_class_name')}, not a {IMAGE_UNET}")
    image = image_config(config)
    part, network = _empty(image, config.get("encoder_hid_dim", 4096), in_channels)
    conversion = _fill(network, image, read_weights(source / "unet"), source / "unet")
    autoencoder = _autoencoder(source / "movq") if (source / "movq").is_dir() else None
    copied, left = files_beside(source, "unet")
    copied = [name for name in copied if Path(name).parts[0] not in ("movq", "model_index.json")]
    with writing(target) as folder:
        copy_files(copied, source, folder)
        write_network(folder, network, part=part)
        if autoencoder is not None:
            write_network(folder, autoencoder, part="autoencoder")
        write_checksums(folder)
    return Conversion(conversion.matched, conversion.new, conversion.left + left)


def _empty(image: Mapping[str, Any], text_width: int, in_channels: int | None) -> tuple[str, TextUNet]:
    """Make the network, its temporal parts as they begin, and say which part of a checkpoint it is."""
    channels = image["num_channels"]
    if in_channels in (None, channels):
        return "keyframes", KeyframesNetwork(
            KeyframesUNet.from_config({**image, "temporal_parts": BLOCKS_1_0}), text_width
        )
    if in_channels == 2 * channels + 1:
        conditions = {"num_channels": in_channels, "noise_augmentation": True, "motion_score": True}
        return "keyframes", KeyframesNetwork(KeyframesUNet.from_config({**image, **conditions}), text_width)
    if in_channels == (2 + FRAMES_BETWEEN) * channels:
        grown = {"num_channels": in_channels, "out_channels": FRAMES_BETWEEN * channels}
        unet = InterpolationUNet.from_config({**image, **grown})
        return "interpolation", InterpolationNetwork(unet, None)  # without text, as in the paper
    raise CheckpointError(
        f"a UNet of {channels} channels becomes one with {channels} (keyframes), {2 * channels + 1} (keyframes with a "
        f"first frame) or {(2 + FRAMES_BETWEEN) * channels} (interpolation), not {in_channels}"
    )


def image_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the published keys of a Kandinsky3UNet's `config.json`.

    Raises:
        CheckpointError: its widths are not what the published keys can say.
    """
    widths = config.get("block_out_channels", [384, 768, 1536, 3072])
    if len(widths) != LEVELS or any(width % widths[0] for width in widths):
        raise CheckpointError(f"levels of {widths} channels are not {LEVELS}, multiples of the first")
    if not isinstance(config.get("layers_per_block", 3), int):
        raise CheckpointError(f"layers_per_block {config['layers_per_block']} is not one number")
    return {
        "num_channels": config.get("in_channels", 4),
        "out_channels": config.get("in_channels", 4),
        "model_channels": widths[0],
        "init_channels": widths[0] // 2,
        "time_embed_dim": config.get("time_embedding_dim", 1536),
        "context_dim": config.get("cross_attention_dim", 4096),
        "groups": config.get("groups", 32),
        "head_dim": config.get("attention_head_dim", 64),
        "dim_mult": [width // widths[0] for width in widths],
        "num_blocks": [config.get("layers_per_block", 3)] * LEVELS,
        "add_cross_attention": [False, *[True] * (LEVELS - 1)],
        "add_self_attention": [False, *[True] * (LEVELS - 1)],
    }


def _fill(
    network: TextUNet, image: Mapping[str, Any], weights: Mapping[str, Tensor], source: Path
) -> Conversion:
    """Give a network the image network's weights. Raises CheckpointError if one is missing, unknown or of another shape."""
    own = network.state_dict()
    with torch.device("meta"):
        spatial = KeyframesUNet.from_config({**image, "temporal_parts": NO_PARTS}).state_dict()
    names = {f"unet.{name}": theirs for name, theirs in image_names(spatial).items()}
    if network.text_width is not None:
        names |= {f"projections.t5.{ours}": f"{TEXT}{theirs}" for theirs, ours in PROJECTION.items()}
    left = tuple(sorted(weights.keys() - set(names.values())))
    faults = [f"missing {theirs}" for theirs in names.values() if theirs not in weights]
    faults += [f"unexpected {name}" for name in left if network.text_width is not None or TEXT not in name]
    refuse_misfits(faults, source)
    for ours, theirs in names.items():
        own[ours] = grow(weights[theirs], own[ours], ours)
    if "unet.image_in_layer.weight" in own:
        for end in ("weight", "bias"):
            own[f"unet.image_in_layer.{end}"] = own[f"unet.in_layer.{end}"]
    refuse_misfits(misfits(network, {name: tuple(tensor.shape) for name, tensor in own.items()}), source)
    network.load_state_dict(own)
    return Conversion(tuple(names), tuple(name for name in own if name not in names), left)


def image_names(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return diffusers' name for each of the published names of an image UNet, by its own table."""
    return {name: next(iter(convert_state_dict({name: tensor}))) for name, tensor in tensors.items()}


def grow(tensor: Tensor, target: Tensor, name: str) -> Tensor:
    """Bring a tensor of the image network, of any shape such as (out_channels, channels), to the target's: the first and the last convolution have more channels.

    The last one's output is repeated for each of the three frames. Of the first one's input, the channels of the middle noisy
    frame keep the image's kernel, or the only noisy frame's do, and the others are zeros.
    """
    if name.startswith("unet.out_layer.2.") and tensor.shape != target.shape:
        return torch.cat([tensor] * (target.shape[0] // tensor.shape[0]))
    if name == "unet.in_layer.weight" and tensor.shape != target.shape:
        channels = tensor.shape[1]
        grown = torch.zeros_like(target)
        first = 2 * channels if target.shape[1] == (2 + FRAMES_BETWEEN) * channels else 0
        grown[:, first : first + channels] = tensor
        return grown
    return tensor


def _autoencoder(source: Path) -> Autoencoder:
    """Read an image MoVQ. Raises CheckpointError if it is none."""
    try:
        config = published_config(read_json(source / "config.json"))
    except CheckpointError as error:
        raise CheckpointError(f"{source / 'config.json'}: {error}") from error
    autoencoder = Autoencoder.from_config(config)
    tensors = published_names(read_weights(source), len(config["ch_mult"]))
    refuse_misfits(
        misfits(autoencoder, {name: tuple(tensor.shape) for name, tensor in tensors.items()}), source
    )
    autoencoder.load_state_dict(tensors)
    return autoencoder
