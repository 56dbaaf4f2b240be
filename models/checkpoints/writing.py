"""Writing checkpoints in the layout of the published ones, for `cascade.models.checkpoints.loading` to load."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cascade.models.checkpoints.network import CheckpointNetwork


def write_network(
    folder: Path, network: CheckpointNetwork, dtype: torch.dtype = torch.float32, part: str = "unet"
) -> None:
    """Write `folder/part`: the network's configuration, and its weights in the precision `dtype`."""
    (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / part / "config.json").write_text(json.dumps(network.config_json(), indent=2))
    weights = {name: tensor.detach().to("cpu", dtype) for name, tensor in network.state_dict().items()}
    save_file(weights, folder / part / "diffusion_pytorch_model.safetensors")


def write_text(
    folder: Path,
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write `folder/text_encoder` and `folder/tokenizer`."""
    previous = encoder.dtype
    encoder.to(dtype).save_pretrained(folder / "text_encoder")
    encoder.to(previous)
    tokenizer.save_pretrained(folder / "tokenizer")


def write_vae(folder: Path, vae: AutoencoderKL, dtype: torch.dtype = torch.float32) -> None:
    """Write `folder/vae`."""
    previous = vae.dtype
    vae.to(dtype).save_pretrained(folder / "vae")
    vae.to(previous)
    file = folder / "vae" / "config.json"
    config = json.loads(file.read_text())
    config.pop("_name_or_path", None)  # where it was loaded from: a folder of whoever trained it
    file.write_text(json.dumps(config, indent=2) + "\n")


def write_index(folder: Path, *parts: str) -> None:
    """Write `folder/model_index.json`, which names the checkpoint's parts."""
    (folder / "model_index.json").write_text(json.dumps({"parts": parts}, indent=2))
