"""Parts of a checkpoint that diffusers and transformers define: networks, schedulers, tokenizers.

The files are read by `tensors`, as those of the project's own networks are: every layout loads, and a tensor that is
missing is an error. The libraries would fill it with random numbers and warn.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from cascade.models.checkpoints.plain_files import check_file, one_line, read_json
from cascade.models.checkpoints.tensors import read_weights, weight_shapes
from cascade.models.errors import CheckpointError

logger = logging.getLogger(__name__)

TensorSizes = Mapping[str, tuple[int, ...]]


def load_network(kind: Any, folder: Path, dtype: torch.dtype, **options: Any) -> Any:
    """Load a network of class `kind`, of diffusers or transformers, in the precision `dtype`.

    Args:
        options: of transformers' `from_pretrained`, such as a quantization.
    Raises:
        CheckpointError: a file or a tensor is missing, damaged or of another shape.
    """
    weights = read_weights(folder)
    if issubclass(kind, transformers.PreTrainedModel):
        network, faults = _load_transformer(kind, folder, weights, dtype=dtype, **options)
    else:
        network, faults = _empty_diffusers(kind, folder, weights)
        if not _breaking(faults):
            with _named(kind, folder):
                network.load_state_dict(weights, strict=False, assign=True)
                _to_precision(network, dtype)
    refuse_misfits(_breaking(faults), folder)
    for fault in faults:
        logger.warning("%s: %s is not used", folder, fault)
    return network.eval()


def network_faults(folder: Path) -> list[str]:
    """Say in words what is wrong with a library's network: its configuration, files and tensors."""
    kind = network_class(folder)
    shapes = weight_shapes(folder)
    empty: dict[str, Tensor] = {
        name: torch.empty(shape, device="meta", dtype=torch.float32) for name, shape in shapes.items()
    }
    if issubclass(kind, transformers.PreTrainedModel):
        return _load_transformer(kind, folder, empty, device_map={"": "meta"}, dtype=torch.float32)[1]
    return _empty_diffusers(kind, folder, empty)[1]


def network_class(folder: Path) -> Any:
    """Return the class that a `config.json` names. Raises CheckpointError if neither library has it."""
    config = read_json(folder / "config.json")
    architectures = config.get("architectures")
    name = config.get("_class_name") or (
        architectures[0] if isinstance(architectures, list) and architectures else None
    )
    kind = getattr(diffusers, str(name), None) or getattr(transformers, str(name), None)
    if not (inspect.isclass(kind) and issubclass(kind, nn.Module)):
        raise CheckpointError(
            f'{folder / "config.json"}: neither diffusers nor transformers has a network "{name}"'
        )
    return kind


def load_scheduler(folder: Path, kinds: tuple[str, ...] | None = None) -> Any:
    """Return the diffusers scheduler that `scheduler_config.json` names, one of `kinds` where they are given."""
    file = folder / "scheduler_config.json"
    config = read_json(file)
    name = config.get("_class_name")
    if kinds is not None and name not in kinds:
        raise CheckpointError(f'{file}: scheduler "{name}" is not one of {", ".join(kinds)}')
    kind = getattr(diffusers, str(name), None)
    if kind is None:
        raise CheckpointError(f'{file}: diffusers has no scheduler "{name}"')
    with _named(kind, folder):
        return kind.from_config(config)


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer. Raises CheckpointError if a file is missing or damaged."""
    files = sorted(folder.iterdir())
    for file in files:
        if file.suffix in (".json", ".model", ".txt"):
            check_file(file)
    if not files:
        raise CheckpointError(f"{folder}: the tokenizer cannot be read: the folder is empty")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # the tokenizers of both kinds raise bare exceptions
        raise CheckpointError(f"{folder}: the tokenizer cannot be read: {one_line(error)}") from error
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise CheckpointError(f"{folder}: the tokenizer cannot be read: its vocabulary is missing")
    return tokenizer


def misfits(network: nn.Module, shapes: TensorSizes) -> list[str]:
    """Name the tensors that are missing, unexpected or of another shape than the network's."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    faults = [f"missing {name} {expected[name]}" for name in sorted(expected.keys() - shapes.keys())]
    faults += [f"unexpected {name} {shapes[name]}" for name in sorted(shapes.keys() - expected.keys())]
    return faults + [
        f"{name} is {shapes[name]}, not {expected[name]}"
        for name in sorted(expected.keys() & shapes.keys())
        if shapes[name] != expected[name]
    ]


def refuse_misfits(faults: list[str], source: Path) -> None:
    """Raises CheckpointError that names the first of the faults, if there are any."""
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise CheckpointError(f"{source} does not fit its configuration: {shown}")


def _breaking(faults: list[str]) -> list[str]:
    """Leave out tensors that a library's network does not use: both libraries load such checkpoints."""
    return [fault for fault in faults if not fault.startswith("unexpected ")]


def _empty_diffusers(kind: Any, folder: Path, weights: dict[str, Tensor]) -> tuple[Any, list[str]]:
    """Make the network without values, rename `weights` in place from older names, and return what misfits."""
    config = read_json(folder / "config.json")
    with _named(kind, folder), init_empty_weights():
        network = kind.from_config(config)
        network._fix_state_dict_keys_on_load(weights)
    ignored = network._keys_to_ignore_on_load_unexpected or ()
    faults = misfits(network, {name: tuple(tensor.shape) for name, tensor in weights.items()})
    return network, [
        fault
        for fault in faults
        if not (fault.startswith("unexpected ") and any(part in fault for part in ignored))
    ]


def _to_precision(network: Any, dtype: torch.dtype) -> None:
    """Cast as diffusers does: some layers of some networks stay in float32, and then all that is not in a checkpoint."""
    kept = network._keep_in_fp32_modules
    if not kept:
        nn.Module.to(network, dtype)
        return
    for name, tensor in network.state_dict(keep_vars=True).items():
        if tensor.is_floating_point():
            full = any(part in name.split(".") for part in kept)
            tensor.data = tensor.data.to(torch.float32 if full else dtype)


def _load_transformer(
    kind: Any, folder: Path, weights: dict[str, Tensor], **options: Any
) -> tuple[Any, list[str]]:
    read_json(folder / "config.json")
    with _named(kind, folder), _quiet_transformers():
        config = kind.config_class.from_pretrained(folder)
        network, info = kind.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    mismatched = sorted(info["mismatched_keys"])
    faults = [f"missing {name}" for name in sorted(info["missing_keys"])]
    faults += [f"unexpected {name}" for name in sorted(info["unexpected_keys"])]
    faults += [f"{name} is {tuple(found)}, not {tuple(expected)}" for name, found, expected in mismatched]
    return network, faults


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers' own report of misfits off the screen: ours is one line, and an error."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


@contextmanager
def _named(kind: Any, folder: Path) -> Iterator[None]:
    """Turn whatever a library makes of a wrong configuration into an error that names the folder."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(f"{folder}: {kind.__name__} cannot be loaded: {reason}") from error
