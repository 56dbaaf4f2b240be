"""Turning the checkpoint of one network into that of another: what fits is copied, what is new keeps its first values."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cascade.models.checkpoints.checksums import CHECKSUMS
from cascade.models.checkpoints.hub import UNUSED_PARTS, used_files
from cascade.models.checkpoints.plain_files import check_file, is_partial, one_line
from cascade.models.checkpoints.weight_files import choose_weights
from cascade.models.errors import CheckpointError
from cascade.models.families.registry import family_of, offered

WEIGHT_ENDINGS = (".safetensors", ".ckpt", ".bin", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".pb", ".gguf")


@dataclass(frozen=True)
class Conversion:
    """What became of the source.

    Attributes:
        matched, new: names of tensors: copied from the source, and new in the target.
        left: tensors and files of the source that are not in the target.
    """

    matched: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]


def convert(
    source: Path, target: Path, in_channels: int | None = None, preset: str | None = None
) -> Conversion:
    """Write the video checkpoint `target` from the checkpoint `source`, by the first family that can.

    Args:
        source: an image checkpoint or a video one: a folder in the diffusers layout, or one file with all networks.
        target: a folder that does not exist yet; other parts of the source are copied into it.
        in_channels: of the new network; None keeps the source's.
        preset: names the family that converts, where several can make a network of the same source.
    Raises:
        CheckpointError: the source cannot be read, or no family makes a video network of it.
    """
    if target.exists():
        raise CheckpointError(f"{target} exists already; choose a new folder")
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise CheckpointError(f"{target} is inside the source {source}; choose another folder")
    refusals = []
    for family, conversion in _conversions(preset).items():
        try:
            result: Conversion = conversion(source, target, in_channels)
        except CheckpointError as error:
            refusals.append(f"{family}: {error}")
        else:
            return result
    raise CheckpointError("; ".join(refusals))


def _conversions(preset: str | None) -> Mapping[str, Callable[[Path, Path, int | None], Conversion]]:
    """Return what converts checkpoints, by family: all, or the preset's own. Raises CheckpointError if it has none."""
    if preset is None:
        return offered("conversion")
    family = family_of(preset)
    if family.conversion is None:
        raise CheckpointError(f'checkpoints of preset "{preset}" are not made by conversion')
    return {preset: family.part(family.conversion)}


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Give a folder to write in, which becomes `target` when all is written. Raises CheckpointError if it cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            folder = Path(scratch) / target.name
            folder.mkdir()
            yield folder
            folder.rename(target)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{target} cannot be written: {one_line(error)}") from error


def files_beside(source: Path, network: str) -> tuple[list[str], tuple[str, ...]]:
    """Choose what is copied of a checkpoint beside one network: of weights in several precisions, the one that is read.

    Returns:
        The files to copy and those to leave, by their names in `source`.
    Raises:
        CheckpointError: a file to copy is damaged.
    """
    names = [
        str(file.relative_to(source))
        for file in sorted(source.rglob("*"))
        if not file.is_dir() and file.relative_to(source).parts[0] not in (network, CHECKSUMS)
    ]
    copied: list[str] = []
    for part in {Path(name).parts[0] for name in names}:
        inside = [name for name in names if Path(name).parts[0] == part]
        has_weights = (source / part).is_dir() and choose_weights(Path(name).name for name in inside)
        copied += used_files(inside, part) if has_weights else [name for name in inside if _is_small(name)]
    copied = [name for name in copied if Path(name).parts[0] not in UNUSED_PARTS]
    for name in copied:
        check_file(source / name)
    return copied, tuple(name for name in names if name not in copied)


def _is_small(name: str) -> bool:
    """Return whether a file is no weights: models in one file lie at the top, and partial downloads anywhere."""
    return not name.startswith(".") and not is_partial(name) and not name.endswith(WEIGHT_ENDINGS)


def copy_files(names: Iterable[str], source: Path, target: Path) -> None:
    """Copy files, what links lead to instead of the links."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


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
