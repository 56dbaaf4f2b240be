"""The published files of both versions with few channels and random weights, and a text encoder as transformers publishes it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.fusion_frames.networks import (
    Autoencoder,
    InterpolationNetwork,
    KeyframesNetwork,
    TextProjections,
)
from cascade.models.presets.kandinsky_video import (
    KANDINSKY_VIDEO,
    KANDINSKY_VIDEO_1_1,
    VERSION_1_0,
    VERSION_1_1,
)
from cascade.models.presets.spec import Preset

CONTEXT, TEXT = 20, 16
KEYFRAMES = 3
IMAGE: Mapping[str, Any] = {
    "model_channels": 12,
    "init_channels": 8,
    "time_embed_dim": 24,
    "context_dim": CONTEXT,
    "groups": 2,
    "head_dim": 4,
    "expansion_ratio": 2,
    "dim_mult": [1, 2],
    "num_blocks": [2, 2],
    "add_cross_attention": [False, True],
    "add_self_attention": [False, True],
}
MOVQ: Mapping[str, Any] = {
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "resolution": 64,
    "attn_resolutions": [8],
}
VIDEO_MOVQ = {**MOVQ, "temporal": True, "temporal_attention_block": True}
INTERPOLATION = {**IMAGE, "num_channels": 20, "out_channels": 12}

FILES: Mapping[str, Mapping[str, tuple[type[CheckpointNetwork], Mapping[str, Any]]]] = {
    VERSION_1_0: {
        "weights/kandinsky_video.pt": (
            KeyframesNetwork,
            {"unet": {**IMAGE, "num_channels": 4, "out_channels": 4, "num_frames": 15}, "text_width": TEXT},
        ),
        "weights/kandinsky_video_interpolation.pt": (
            InterpolationNetwork,
            {"unet": {**INTERPOLATION, "interpolation": True}},
        ),
        "weights/movq.pt": (Autoencoder, MOVQ),
    },
    VERSION_1_1: {
        "t2v.pt": (
            KeyframesNetwork,
            {
                "unet": {
                    **IMAGE,
                    "num_channels": 9,
                    "out_channels": 4,
                    "noise_augmentation": True,
                    "motion_score": True,
                }
            },
        ),
        "interpolation.pt": (InterpolationNetwork, {"unet": INTERPOLATION}),
        "t5_projections.pt": (TextProjections, {"text_width": TEXT, "context_width": CONTEXT}),
        "movq.pt": (Autoencoder, MOVQ),
        "video_movq.pt": (Autoencoder, VIDEO_MOVQ),
    },
}
NESTED = ("unet", "projections", "projection_base", "projection_interpolation")
"""What is a dictionary within a published file's dictionary."""

WORDS = ("<pad>", "</s>", "<unk>", "a", "red", "car", "on", "the", "mountain", "road", "dark")


def write_published(folder: Path, repository: str) -> None:
    """Write the files of a version, in the layout and with the nesting of the published ones, and small configurations."""
    for file, (kind, config) in FILES[repository].items():
        torch.manual_seed(len(file))
        path = folder / repository / file
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(nested(random_network(kind, config)), path)
        path.with_suffix(".json").write_text(json.dumps(config))


def random_network(kind: type[CheckpointNetwork], config: Mapping[str, Any]) -> CheckpointNetwork:
    """Make a network with nothing left at zero."""
    network = kind.from_config(config).eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1 and ("norm" in name or name.endswith("bias")):
            nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.1)
        else:
            nn.init.normal_(parameter, std=0.1)
    return network


def nested(network: nn.Module) -> dict[str, Any]:
    """Nest tensors as the published files do: {"unet": {...}, "null_embedding": ...}."""
    content: dict[str, Any] = {}
    for name, tensor in network.state_dict().items():
        first, _, rest = name.partition(".")
        if first in NESTED:
            content.setdefault(first, OrderedDict())[rest] = tensor
        else:
            content[name] = tensor
    return content


@lru_cache(maxsize=1)
def tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer of a few words, which ends a text with </s> as T5's does."""
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def text_encoder() -> T5EncoderModel:
    torch.manual_seed(5)
    config = T5Config(
        vocab_size=len(WORDS), d_model=TEXT, d_kv=4, d_ff=16, num_layers=1, num_heads=4, pad_token_id=0
    )
    return T5EncoderModel(config).eval()


def write_text_encoder(folder: Path) -> None:
    """Write encoder and tokenizer at the root of one repository, as `google/flan-ul2` has them."""
    place = folder / KANDINSKY_VIDEO.stages[0].text_encoder
    text_encoder().save_pretrained(place)
    tokenizer().save_pretrained(place)


def small(preset: Preset) -> Preset:
    """Make small pictures, few frames and few steps of a published preset."""
    stages = []
    for spec in preset.stages:
        frames = KEYFRAMES if spec.name == "keyframes" else 4 * KEYFRAMES - 3
        spec = replace(spec, frames=frames, height=32, width=48, steps=min(spec.steps, 2))
        first_frame = getattr(spec.options, "first_frame", None)
        if first_frame is not None:
            options: Any = spec.options
            spec = replace(spec, options=replace(options, first_frame=replace(first_frame, steps=2)))
        stages.append(spec)
    return replace(preset, stages=tuple(stages), sizes=(stages[-1].size,))


PUBLISHED = {VERSION_1_0: KANDINSKY_VIDEO, VERSION_1_1: KANDINSKY_VIDEO_1_1}
