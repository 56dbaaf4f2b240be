"""Turning the checkpoint of one network into that of another: what fits is copied, what is new keeps its first values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from cascade.models.errors import CheckpointError
from cascade.models.families.registry import offered


@dataclass(frozen=True)
class Conversion:
    """Names of tensors: copied from the source, new in the target, and left behind in the source."""

    matched: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]


def convert(source: Path, target: Path, in_channels: int | None = None) -> Conversion:
    """Write the video checkpoint `target` from the checkpoint `source`, by the first family that can.

    Args:
        source: folder of an image checkpoint or of a video one, in the diffusers layout.
        target: a folder that does not exist yet; other parts of the source are copied into it.
        in_channels: of the new network; None keeps the source's.
    Raises:
        CheckpointError: the source cannot be read, or no family makes a video network of it.
    """
    if target.exists():
        raise CheckpointError(f"{target} exists already; choose a new folder")
    refusals = []
    for family, conversion in offered("conversion").items():
        try:
            result: Conversion = conversion(source, target, in_channels)
        except CheckpointError as error:
            refusals.append(f"{family}: {error}")
        else:
            return result
    raise CheckpointError("; ".join(refusals))


def initialise(network: nn.Module, tensors: Mapping[str, Tensor]) -> Conversion:
    """Copy what fits of another network's tensors into `network`; additional input channels become zeros."""
    own = network.state_dict()
    matched = []
    for name, tensor in tensors.items():
        target = own.get(name)
        fitted = None if target is None else _fit(tensor, target, name)
        if target is not None and fitted is not None:
            own[name] = fitted.to(target.dtype)
            matched.append(name)
    network.load_state_dict(own)
    return Conversion(
        matched=tuple(matched),
        new=tuple(name for name in own if name not in tensors),
        left=tuple(name for name in tensors if name not in matched),
    )


def _fit(tensor: Tensor, target: Tensor, name: str) -> Tensor | None:
    """Bring `tensor` to the same shape as `target`: as it is, or with zeros for additional input channels."""
    if tensor.shape == target.shape:
        return tensor
    if name.endswith("conv_in.weight") and tensor.shape[1] < target.shape[1]:
        padded = torch.zeros_like(target)
        padded[:, : tensor.shape[1]] = tensor
        return padded
    return None
