"""Tensors of a network's files, checked: whole, finite, and nothing but tensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cascade.models.checkpoints.plain_files import check_file, one_line
from cascade.models.checkpoints.weight_files import index_of, weight_files, weight_map
from cascade.models.errors import CheckpointError


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of a network by their names in the files.

    Raises:
        CheckpointError: a file is missing, damaged, holds more than tensors, or numbers that are not finite.
    """
    weights = {name: tensor for file in weight_files(folder) for name, tensor in read_tensors(file)}
    _check_index(folder, weights)
    return weights


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of all tensors, one tensor at a time in memory. Raises CheckpointError as `read_weights`."""
    shapes = {
        name: tuple(tensor.shape) for file in weight_files(folder) for name, tensor in read_tensors(file)
    }
    _check_index(folder, shapes)
    return shapes


def read_tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    """Read the tensors of one file in turn. Raises CheckpointError as `read_weights`."""
    check_file(file)
    tensors = _safetensors(file) if file.suffix == ".safetensors" else _torch_tensors(file)
    for name, tensor in tensors:
        if not _is_finite(tensor):
            raise CheckpointError(
                f"{file} is damaged: {name} holds numbers that are not finite (NaN or infinite)"
            )
        yield name, tensor


def _safetensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dict
                yield name, tensors.get_tensor(name)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{file} is damaged or cut short: {one_line(error)}") from error


def _torch_tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    content = _unpickle(file)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]  # as training programs save it, beside what they need to go on
    tensors = _flatten(content)
    if not tensors or not all(map(_is_named_tensor, tensors.items())):
        raise CheckpointError(f"{file} holds more than tensors by name; it is not read")
    yield from tensors.items()


def _flatten(content: Any, prefix: str = "") -> dict[Any, Any]:
    """Join the names of nested dictionaries, as several networks in one file have them, by dots."""
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[Any, Any] = {}
    for name, value in content.items():
        whole = f"{prefix}.{name}" if prefix and isinstance(name, str) else name
        flat |= _flatten(value, whole) if isinstance(value, dict) else {whole: value}
    return flat


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    name, value = item
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout is torch.strided


def _unpickle(file: Path) -> Any:
    options: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
    try:
        try:
            return torch.load(file, mmap=True, **options)
        except RuntimeError:  # PyTorch before 1.6 wrote another format, which cannot be mapped
            return torch.load(file, **options)
    except Exception as error:
        reason = "it holds more than tensors, or is damaged"
        raise CheckpointError(f"{file} is not read: {reason} ({one_line(error, 120)})") from error


def _is_finite(tensor: Tensor) -> bool:
    """Return whether a tensor, of any shape such as (out_channels, channels), holds neither NaN nor infinity."""
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return True
    values = tensor.float() if tensor.element_size() == 1 else tensor
    return bool(torch.stack(values.aminmax()).isfinite().all())  # NaN anywhere becomes both


def _check_index(folder: Path, tensors: dict[str, Any]) -> None:
    """Raises CheckpointError if shards lack a tensor that their index names."""
    index = index_of(folder)
    missing = set() if index is None else weight_map(index).keys() - tensors.keys()
    if missing:
        raise CheckpointError(f"{index} names {min(missing)}, which no shard holds")
