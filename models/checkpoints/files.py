"""Checkpoints as files: where they are, and whether every tensor and checksum is right."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.errors import CheckpointError

SHIPPED = Path(__file__).parent.parent / "weights"
CHECKSUMS = "SHA256SUMS"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt")
WEIGHTED_PARTS = ("unet", "vae", "text_encoder")
WEIGHTS = "diffusion_pytorch_model"


@dataclass(frozen=True)
class Requirement:
    """A checkpoint that a stage reads.

    Attributes:
        name: a directory below the checkpoints folder, or a hub name.
        parts: the folders that it must have.
        networks: the class of the network in a part, for those of this project: `verify` compares every tensor.
        optional: the stage can do without it.
    """

    name: str
    parts: tuple[str, ...]
    networks: Mapping[str, type[CheckpointNetwork]] = field(default_factory=dict)
    optional: bool = False


def locate(folder: Path, name: str) -> Path | None:
    """Find a checkpoint on this machine: below `folder`, shipped, or in the hub's cache. None if it is nowhere."""
    for place in (folder / name, SHIPPED / name):
        if place.is_dir():
            return place
    try:
        return hub_snapshot(name, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def hub_snapshot(name: str, *, local_files_only: bool = False) -> Path:
    """Return the folder of a hub repository, downloaded if need be (with a progress bar; resumes an interrupted download).

    Weights in PyTorch's own format are taken only where a part has no safetensors.
    """

    def snapshot(*patterns: str) -> Path:
        return Path(snapshot_download(name, allow_patterns=list(patterns), local_files_only=local_files_only))

    path = snapshot(*HUB_FILES)
    bare = [
        part for part in WEIGHTED_PARTS if (path / part).is_dir() and not any((path / part).glob("*.safe*"))
    ]
    return snapshot(*HUB_FILES, *(f"{part}/*.bin" for part in bare)) if bare else path


def verify(path: Path, requirement: Requirement) -> list[str]:
    """Say in words what is wrong with a checkpoint: parts, tensors, checksums. An empty list if all is right."""
    faults = [f"{part}/ is missing" for part in requirement.parts if not (path / part).is_dir()]
    for part, network in requirement.networks.items():
        if (path / part).is_dir():
            faults += _network_faults(path / part, network)
    return faults + _checksum_faults(path)


def _network_faults(folder: Path, kind: type[CheckpointNetwork]) -> list[str]:
    try:
        config = read_json(folder / "config.json")
        with torch.device("meta"):
            network = kind.from_config(config)
        shapes = {kind.weight_name(name): shape for name, shape in weight_shapes(folder).items()}
    except (CheckpointError, SafetensorError, ValueError, TypeError) as error:
        return [f"{folder.name}/: {error}"]
    return [f"{folder.name}/: {fault}" for fault in misfits(network, shapes)]


def _checksum_faults(path: Path) -> list[str]:
    """Find files that differ from `SHA256SUMS`, or, in the hub's cache, from the digest they are named by."""
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
    """Name the tensors that are missing, unexpected or of another shape than the network's."""
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
    """Read all tensors of a network by their names in the files. Raises CheckpointError naming the files it looked for."""
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
    """Read the shapes of all tensors from the files' headers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weight_files(folder):
        if file.suffix != ".safetensors":
            shapes |= {name: tuple(tensor.shape) for name, tensor in _read_tensors(file).items()}
            continue
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dict
                shapes[name] = tuple(tensors.get_slice(name).get_shape())
    return shapes


def weight_files(folder: Path) -> list[Path]:
    """Find the weights of a network: the shards of an index, or one file.

    Safetensors come before PyTorch's format, full before half precision.
    """
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
