"""Pipelines of diffusers, put together of parts that are read and checked as all other checkpoints are."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline

from cascade.models.checkpoints.hub import INDEX, UNUSED_PARTS, read_index
from cascade.models.checkpoints.library import (
    load_network,
    load_scheduler,
    load_tokenizer,
    network_class,
    network_faults,
)
from cascade.models.checkpoints.plain_files import one_line, read_json
from cascade.models.errors import CheckpointError

LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
OWN_PARTS = DiffusionPipeline.__module__.rpartition(".")[0]
"""The package in which a pipeline has the parts that no other uses."""


def load_pipeline(path: Path, dtype: torch.dtype) -> DiffusionPipeline:
    """Load the pipeline that `model_index.json` names, on the CPU, its networks in the precision `dtype`.

    Raises:
        CheckpointError: diffusers has no such pipeline, or a part is missing or damaged.
    """
    if not (path / INDEX).is_file():
        raise CheckpointError(f"{path} is no diffusers pipeline: it has no {INDEX}")
    index, name = read_index(path), read_json(path / INDEX).get("_class_name")
    kind = getattr(diffusers, str(name), None)
    if not (inspect.isclass(kind) and issubclass(kind, DiffusionPipeline)):
        raise CheckpointError(f'{path} is no diffusers pipeline: diffusers has none that is called "{name}"')
    parts: dict[str, Any] = {
        part: None if entry is None or part in UNUSED_PARTS else _load_part(path / part, *entry, dtype)
        for part, entry in index.items()
    }
    accepted = inspect.signature(kind.__init__).parameters
    settings = {
        key: value for key, value in read_json(path / INDEX).items() if key in accepted and key not in parts
    }
    if "requires_safety_checker" in accepted:
        settings["requires_safety_checker"] = False
    try:
        pipeline: DiffusionPipeline = kind(
            **{key: value for key, value in (parts | settings).items() if key in accepted}
        )
    except Exception as error:  # whatever the pipeline makes of parts that do not fit it
        raise CheckpointError(f"{path} is no whole {name}: {one_line(error)}") from error
    return pipeline


def part_faults(folder: Path, part: str) -> list[str]:
    """Say in words what is wrong with a part of any kind. Raises CheckpointError for what ends the look."""
    if part.endswith("scheduler"):
        load_scheduler(folder)
    elif part.startswith("tokenizer"):
        load_tokenizer(folder)
    elif (folder / "preprocessor_config.json").is_file():
        read_json(folder / "preprocessor_config.json")
    else:
        return network_faults(folder)
    return []


def _load_part(folder: Path, library: str, name: str, dtype: torch.dtype) -> Any:
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is missing")
    if folder.name.startswith("tokenizer"):
        return load_tokenizer(folder)
    if folder.name.endswith("scheduler"):
        return load_scheduler(folder)
    if library in LIBRARIES and not (folder / "preprocessor_config.json").is_file():
        return load_network(network_class(folder), folder, dtype)
    try:  # image processors, and the few parts that a pipeline brings itself
        home = LIBRARIES.get(library) or import_module(f"{OWN_PARTS}.{library}")
        return getattr(home, name).from_pretrained(folder)
    except Exception as error:  # whatever such a part makes of its files
        raise CheckpointError(f"{folder} cannot be loaded as {name}: {one_line(error)}") from error
