"""Writing checkpoints in the layout of the published ones, for `cascade.models.checkpoints.loading` to load."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from cascade.models.families.show1.latent_unet import LatentUNetConfig
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig


def write_unet(
    folder: Path,
    unet: nn.Module,
    config: PixelUNetConfig | LatentUNetConfig,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write `folder/unet`: its configuration, and its weights in the precision `dtype`."""
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    written = {"_class_name": "UNet3DConditionModel"} | asdict(config)
    (folder / "unet" / "config.json").write_text(json.dumps(written, indent=2))
    weights = {name: tensor.detach().to("cpu", dtype) for name, tensor in unet.state_dict().items()}
    save_file(weights, folder / "unet" / "diffusion_pytorch_model.safetensors")


def write_text(folder: Path, encoder: Any, tokenizer: Any, dtype: torch.dtype = torch.float32) -> None:
    """Write `folder/text_encoder` and `folder/tokenizer`."""
    kept = encoder.dtype
    encoder.to(dtype).save_pretrained(folder / "text_encoder")
    encoder.to(kept)
    tokenizer.save_pretrained(folder / "tokenizer")


def write_vae(folder: Path, vae: Any, dtype: torch.dtype = torch.float32) -> None:
    """Write `folder/vae`."""
    kept = vae.dtype
    vae.to(dtype).save_pretrained(folder / "vae")
    vae.to(kept)
    file = folder / "vae" / "config.json"
    config = json.loads(file.read_text())
    config.pop("_name_or_path", None)  # where it was loaded from: a folder of whoever trained it
    file.write_text(json.dumps(config, indent=2) + "\n")


def write_index(folder: Path, *parts: str) -> None:
    (folder / "model_index.json").write_text(json.dumps({"parts": parts}, indent=2))
