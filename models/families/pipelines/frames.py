"""How many frames a pipeline makes: the numbers that its autoencoder has, and those that came out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from cascade.models.errors import PresetError
from cascade.models.presets.spec import AnyStageSpec

FACTOR_NAMES = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio", "vae_temporal_scale_factor")
FACTOR_KEYS = ("temporal_compression_ratio", "scale_factor_temporal")
OTHER_RULES = {"AutoencoderKLAllegro": (1, (0,)), "AutoencoderKLCogVideoX": (2, (0, 1))}
"""Autoencoders that do not keep the first frame by itself: how many of their own frames belong together, and the rests that a
number of frames may leave. CogVideoX decodes two at a time, and a first one by itself only where their number is odd."""


def check_frames(pipeline: DiffusionPipeline, spec: AnyStageSpec) -> None:
    """Refuse a number of frames that the pipeline's autoencoder cannot make, and that it would change without a word.

    Most autoencoders keep the first frame by itself, and turn each `factor` frames behind it into one.

    Raises:
        PresetError: naming the numbers nearby that can be made.
    """
    factor = _temporal_factor(pipeline)
    together, rests = OTHER_RULES.get(type(getattr(pipeline, "vae", None)).__name__, (1, (1,)))
    group = factor * together
    if factor <= 1 or spec.frames % group in rests:
        return
    base = spec.frames // group * group
    nearby = sorted({base + offset + rest for rest in rests for offset in (-group, 0, group)})
    below = [number for number in nearby if 0 < number < spec.frames][-1:]
    above = [number for number in nearby if number > spec.frames][:1]
    raise PresetError(
        f"stage {spec.name}: {type(pipeline).__name__} cannot make {spec.frames} frames, as its autoencoder has "
        f"{factor} in one; choose {' or '.join(map(str, below + above))}"
    )


def _temporal_factor(pipeline: DiffusionPipeline) -> int:
    """Return how many frames the pipeline's autoencoder turns into one; 1 for one of single images."""
    for name in FACTOR_NAMES:
        if isinstance(factor := getattr(pipeline, name, None), int | float):
            return int(factor)
    config: Any = getattr(getattr(pipeline, "vae", None), "config", {})
    for key in FACTOR_KEYS:
        if isinstance(factor := config.get(key), int | float):
            return int(factor)
    return 1


def video_of(result: Any, spec: AnyStageSpec) -> Tensor:
    """Take the first video out of a pipeline's output.

    Returns:
        (frames, channels, height, width) in [-1, 1].
    Raises:
        PresetError: it has another number of frames than the spec.
    """
    video = result.frames[0] if hasattr(result, "frames") else result.images
    frames = torch.stack([_picture(frame) for frame in video])
    if len(frames) != spec.frames:
        raise PresetError(
            f"stage {spec.name}: the pipeline made {len(frames)} frames, not the {spec.frames} it was asked for"
        )
    return frames * 2 - 1


def _picture(frame: Any) -> Tensor:
    """Turn a frame, a tensor (channels, height, width) or an array or image (height, width, channels), into float32 in [0, 1]."""
    if isinstance(frame, Tensor):
        return frame.float().cpu()
    pixels = torch.from_numpy(np.array(frame))
    scale = 1.0 if pixels.is_floating_point() else 255.0
    return pixels.permute(2, 0, 1).float() / scale
