"""Checkpoints as folders: where they are, and whether every part, tensor and checksum is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from cascade.models.checkpoints import hub
from cascade.models.checkpoints.checksums import CHECKSUMS as CHECKSUMS
from cascade.models.checkpoints.checksums import checksum_faults
from cascade.models.checkpoints.checksums import sha256 as sha256
from cascade.models.checkpoints.checksums import write_checksums as write_checksums
from cascade.models.checkpoints.library import misfits
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.parts import find_part, part_title
from cascade.models.checkpoints.pipelines import part_faults
from cascade.models.checkpoints.plain_files import read_json as read_json
from cascade.models.checkpoints.tensors import read_weights as read_weights
from cascade.models.checkpoints.tensors import weight_shapes
from cascade.models.errors import CheckpointError

NetworkT = TypeVar("NetworkT", bound=CheckpointNetwork)
SHIPPED = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class Requirement:
    """A checkpoint that a stage reads.

    Attributes:
        name: a directory below the checkpoints folder, or a hub name.
        parts: the folders that it must have, or single files by their paths.
        networks: the class of the network in a part, for those of this project; the others say theirs themselves.
        optional: the stage can do without it.
        pipeline: all parts that its `model_index.json` lists are read too.
    """

    name: str
    parts: tuple[str, ...]
    networks: Mapping[str, type[CheckpointNetwork]] = field(default_factory=dict)
    optional: bool = False
    pipeline: bool = False


def locate(folder: Path, name: str) -> Path | None:
    """Find a checkpoint on this machine: below `folder`, shipped, or in the hub's cache. None if it is nowhere."""
    for place in (folder / name, SHIPPED / name):
        if place.is_dir():
            return place
    return hub.cached(name)


def verify(path: Path, requirement: Requirement) -> list[str]:
    """Say in words what is wrong with a checkpoint: parts, tensors, checksums. An empty list if all is right."""
    faults, parts = [], list(requirement.parts)
    if requirement.pipeline:
        try:
            parts += [part for part in hub.listed_parts(path) if part not in parts]
        except CheckpointError as error:
            faults.append(_inside(path, error))
    for part in parts:
        faults += _part_faults(find_part(path, part), part, requirement.networks.get(part))
    return faults + checksum_faults(path)


def _part_faults(folder: Path, part: str, kind: type[CheckpointNetwork] | None) -> list[str]:
    title = part_title(part)
    if not folder.exists():
        return [f"{title} is missing"]
    try:
        faults = _own_network_faults(folder, kind) if kind is not None else part_faults(folder, part)
    except CheckpointError as error:
        return [f"{title}: {_inside(folder, error)}"]
    return [f"{title}: {fault}" for fault in faults]


def _own_network_faults(folder: Path, kind: type[CheckpointNetwork]) -> list[str]:
    network = empty_network(folder, kind)
    return misfits(network, {kind.weight_name(name): shape for name, shape in weight_shapes(folder).items()})


def empty_network(folder: Path, kind: type[NetworkT]) -> NetworkT:
    """Make the network of a `config.json`, or of one file, without values. Raises CheckpointError if there can be none."""
    source, config = _read_config(folder, kind)
    try:
        with torch.device("meta"):
            return kind.from_config(config)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from error
    except (
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        ZeroDivisionError,
        AttributeError,
        RuntimeError,
    ) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{source} makes no {kind.__name__}: {reason}") from error


def _read_config(folder: Path, kind: type[CheckpointNetwork]) -> tuple[Path, Mapping[str, Any]]:
    """Read a network's configuration, that of `a.pt` from `a.json` beside it unless it is published without; say from where."""
    source = folder.with_suffix(".json") if folder.is_file() else folder / "config.json"
    published = kind.published_config(folder.name) if folder.is_file() and not source.is_file() else None
    return (folder, published) if published is not None else (source, read_json(source))


def _inside(folder: Path, error: CheckpointError) -> str:
    """Return an error's message with the files named from the folder on."""
    return str(error).replace(f"{folder}/", "")
