"""The configurations of the published files, which have none beside them, by the files' names.

Those of version 1.1 are the ones of the hub's `configs.json`, but for its interpolation part, of which the first keys are
known: the rest are the published code's defaults, and they give the file's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.models.families.fusion_frames.movq_config import TABLE_3

CONTEXT_WIDTH = 4096
TEXT_WIDTH = 4096

IMAGE_UNET: Mapping[str, Any] = {
    "model_channels": 384,
    "init_channels": 192,
    "time_embed_dim": 1536,
    "context_dim": CONTEXT_WIDTH,
    "groups": 32,
    "head_dim": 64,
    "expansion_ratio": 4,
    "compression_ratio": 2,
    "dim_mult": [1, 2, 4, 8],
    "num_blocks": [3, 3, 3, 3],
    "add_cross_attention": [False, True, True, True],
    "add_self_attention": [False, True, True, True],
}
"""Kandinsky 3.0's: what all of them have in common."""

KEYFRAMES_1_0 = {**IMAGE_UNET, "num_channels": 4, "out_channels": 4, "num_frames": 15}
INTERPOLATION_1_0 = {**IMAGE_UNET, "num_channels": 20, "out_channels": 12, "interpolation": True}
KEYFRAMES_1_1 = {
    **IMAGE_UNET,
    "num_channels": 9,
    "out_channels": 4,
    "noise_augmentation": True,
    "motion_score": True,
}
INTERPOLATION_1_1 = {
    **IMAGE_UNET,
    "num_channels": 20,
    "out_channels": 12,
    "add_temporal_attention": True,
    "pass_skip_frames": True,
}

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "kandinsky_video.pt": {"unet": KEYFRAMES_1_0, "text_width": TEXT_WIDTH},
    "kandinsky_video_interpolation.pt": {"unet": INTERPOLATION_1_0},
    "t2v.pt": {"unet": KEYFRAMES_1_1},
    "interpolation.pt": {"unet": INTERPOLATION_1_1},
    "t5_projections.pt": {"text_width": TEXT_WIDTH, "context_width": CONTEXT_WIDTH},
    "movq.pt": TABLE_3["image"].as_dict(),
    "video_movq.pt": TABLE_3["conv-3x3x3-attention"].as_dict(),
}
