"""Checkpoints as files: what a preset needs, where it is, and whether every tensor and checksum is right."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.presets.table import (
    ExpertTranslationOptions,
    Preset,
    StageSpec,
    SuperResolutionOptions,
    TextToVideoOptions,
    VideoToVideoOptions,
)

SHIPPED = Path(__file__).parent.parent / "weights"
CHECKSUMS = "SHA256SUMS"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
WEIGHTED_PARTS = ("unet", "vae", "text_encoder")
WEIGHTS = "diffusion_pytorch_model"
UNET_CLASSES: dict[type, Any] = {PixelUNetConfig: PixelVideoUNet, LatentUNetConfig: LatentVideoUNet}


@dataclass(frozen=True)
class Needed:
    """A checkpoint that a preset needs, with the parts it must have and its UNet's configuration class."""

    name: str
    parts: tuple[str, ...]
    unet: type | None = None
    optional: bool = False


def needed_by(preset: Preset) -> list[Needed]:
    """What the stages of a preset load, each checkpoint once, in order."""
    found: dict[str, Needed] = {}
    for spec in preset.stages:
        found[spec.checkpoint] = _stage_checkpoint(spec)
        options = spec.options
        if isinstance(options, SuperResolutionOptions) and options.first_frame is not None:
            name = options.first_frame.checkpoint
            found[name] = Needed(name, ("unet", "scheduler", "image_noising_scheduler"), optional=True)
    return list(found.values())


def _stage_checkpoint(spec: StageSpec) -> Needed:
    if isinstance(spec.options, TextToVideoOptions | VideoToVideoOptions):
        return Needed(spec.checkpoint, ("scheduler", "vae", "text_encoder", "tokenizer"))
    latent = isinstance(spec.options, ExpertTranslationOptions)
    parts = ["unet"]
    parts += ["scheduler"] if spec.schedule is None else []
    parts += ["vae"] if latent else []
    parts += ["text_encoder", "tokenizer"] if spec.text_encoder == spec.checkpoint else []
    return Needed(spec.checkpoint, tuple(parts), LatentUNetConfig if latent else PixelUNetConfig)


def locate(folder: Path, name: str) -> Path | None:
    """Where a checkpoint is on this machine: below `folder`, shipped, or in the hub's cache; None if nowhere."""
    for place in (folder / name, SHIPPED / name):
        if place.is_dir():
            return place
    try:
        return hub_snapshot(name, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def hub_snapshot(name: str, *, local_files_only: bool = False) -> Path:
    """The folder of a hub repository, downloaded if need be (progress bar, goes on where it was cut off).

    Weights in PyTorch's own format are taken only where a part has no safetensors.
    """

    def snapshot(*patterns: str) -> Path:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=local_files_only))

    path = snapshot(*HUB_FILES)
    bare = [
        part for part in WEIGHTED_PARTS if (path / part).is_dir() and not any((path / part).glob("*.safe*"))
    ]
    return snapshot(*HUB_FILES, *(f"{part}/*.bin" for part in bare)) if bare else path


def verify(path: Path, needed: Needed) -> list[str]:
    """What is wrong with a checkpoint, in words; nothing if all is right."""
    faults = [f"{part}/ is missing" for part in needed.parts if not (path / part).is_dir()]
    if needed.unet is not None and (path / "unet").is_dir():
        faults += _unet_faults(path / "unet", needed.unet)
    return faults + _checksum_faults(path)


def _unet_faults(folder: Path, config_class: Any) -> list[str]:
    try:
        config = config_class.from_dict(read_json(folder / "config.json"))
        shapes = weight_shapes(folder)
    except (CheckpointError, SafetensorError, ValueError, TypeError) as error:
        return [f"unet/: {error}"]
    with torch.device("meta"):
        network = UNET_CLASSES[config_class](config)
    return [f"unet/: {fault}" for fault in misfits(network, shapes)]


def _checksum_faults(path: Path) -> list[str]:
    """Files that differ from `SHA256SUMS`, or, in the hub's cache, from the digest they are named by."""
    expected: dict[str, str] = {}
    if (path / CHECKSUMS).is_file():
        for line in (path / CHECKSUMS).read_text().splitlines():
            digest, _, name = line.partition("  ")
            expected[name] = digest
    for file in path.rglob("*"):
        if file.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", file.resolve().name):
            expected[str(file.relative_to(path))] = file.resolve().name
    faults = []
    for name, digest in expected.items():
        if not (path / name).is_file():
            faults.append(f"{name} is missing")
        elif sha256(path / name) != digest:
            faults.append(f"{name} is damaged: its checksum differs")
    return faults


def misfits(network: nn.Module, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """Tensors that are missing, unexpected or of another shape than the network's."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    faults = [f"missing {name} {expected[name]}" for name in sorted(expected.keys() - shapes.keys())]
    faults += [f"unexpected {name} {shapes[name]}" for name in sorted(shapes.keys() - expected.keys())]
    return faults + [
        f"{name} is {shapes[name]}, not {expected[name]}"
        for name in sorted(expected.keys() & shapes.keys())
        if shapes[name] != expected[name]
    ]


def read_json(file: Path) -> dict[str, Any]:
    """Raises CheckpointError if the file is missing or not JSON."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"{file} is missing") from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from error
    return content


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a network. Raises CheckpointError naming what was looked for."""
    weights: dict[str, Tensor] = {}
    for file in weight_files(folder):
        weights |= _read_tensors(file)
    return weights


def _read_tensors(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    try:
        tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise CheckpointError(f"{file} holds more than tensors, or is damaged; it is not read") from error
    return tensors


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors, from the files' headers."""
    shapes = {}
    for file in weight_files(folder):
        if file.suffix != ".safetensors":
            shapes |= {name: tuple(tensor.shape) for name, tensor in _read_tensors(file).items()}
            continue
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dict
                shapes[name] = tuple(tensors.get_slice(name).get_shape())
    return shapes


def weight_files(folder: Path) -> list[Path]:
    """Shards listed in an index, or one file: safetensors before PyTorch's format, full before half precision."""
    index = folder / f"{WEIGHTS}.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
        for file in files:
            if file.parent != folder or not file.is_file():
                raise CheckpointError(f"{index} names {file.name}, which is missing")
        return files
    endings = ("safetensors", "fp16.safetensors", "bin", "fp16.bin")
    candidates = [folder / f"{WEIGHTS}.{ending}" for ending in endings]
    files = [file for file in candidates if file.is_file()][:1]
    if not files:
        raise CheckpointError(f"no weights in {folder}: looked for {', '.join(f.name for f in candidates)}")
    return files


def write_checksums(path: Path) -> None:
    """Write `SHA256SUMS` of all files of a checkpoint."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    lines = [f"{sha256(file)}  {file.relative_to(path)}" for file in files]
    (path / CHECKSUMS).write_text("\n".join(lines) + "\n")


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
