"""Small random checkpoints with the parts of published latent models."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderKLCogVideoX, DDIMScheduler
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.random_checkpoints import VOCABULARY, _tokenizer
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs, run_stage

HERE = Execution(device="cpu", dtype="float32")
TEXT_WIDTH = 32
PROMPT = "a red circle moving right on a gray background"
SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


@lru_cache(maxsize=1)
def tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer, once."""
    return _tokenizer()


def write_parts(folder: Path, vae: nn.Module, scheduler: Any = None) -> None:
    """Write all parts of a checkpoint but the UNet."""
    torch.manual_seed(1)
    text = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=TEXT_WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    tokenizer().save_pretrained(folder / "tokenizer")
    vae.save_pretrained(folder / "vae")  # type: ignore[operator]
    (scheduler or DDIMScheduler(**SCHEDULE)).save_pretrained(folder / "scheduler")


def image_autoencoder() -> AutoencoderKL:
    """Make an autoencoder of images, x8 in height and width."""
    torch.manual_seed(2)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        scaling_factor=0.2,
    ).eval()


def video_autoencoder() -> AutoencoderKLCogVideoX:
    """Make an autoencoder of clips, x8 in height and width, x4 in time, with four channels as LVDM's has."""
    torch.manual_seed(3)
    return AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        scaling_factor=0.7,
    ).eval()


def run_stage_of(
    spec: AnyStageSpec, folder: Path, seeds: tuple[int, ...] = (7,)
) -> tuple[Clip, list[tuple[int, int]]]:
    """Load a stage from a folder of checkpoints and run it: its clip and the progress that it reported."""
    stage = load_stage(spec, Checkpoints(folder), HERE)
    steps: list[tuple[int, int]] = []
    inputs = StageInputs(spec, PROMPT, "", stage.text.encode(PROMPT, ""), seeds)
    clip = run_stage(stage, inputs, lambda k, n: steps.append((k, n)))
    assert isinstance(clip, Clip)
    return clip, steps
