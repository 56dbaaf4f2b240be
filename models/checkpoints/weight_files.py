"""Which files hold the weights of a network, of all that diffusers, transformers and the hub put beside each other.

    model.safetensors  model.fp16.safetensors  model-00001-of-00002.safetensors  model.safetensors.index.json

Safetensors come before PyTorch's own formats, full precision before half, and within one precision shards first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cascade.models.checkpoints.plain_files import explain_missing, is_partial, read_json
from cascade.models.errors import CheckpointError

ENDINGS = ("safetensors", "bin", "pt", "pth")
PRECISIONS = ("", "fp32", "bf16", "fp16")
"""From full to half; other variants (`non_ema`) come last."""

STEM = r"(?P<stem>diffusion_pytorch_model|pytorch_model|model)"
ENDING = rf"(?P<ending>{'|'.join(ENDINGS)})"
WEIGHT_FILE = re.compile(
    rf"{STEM}(?:\.(?P<variant>\w+))?(?:-(?P<shard>\d+)-of-(?P<shards>\d+))?(?:\.(?P<late>\w+))?\.{ENDING}"
)
INDEX_FILE = re.compile(
    rf"{STEM}(?:\.(?P<early>\w+))?\.{ENDING}(?:\.(?P<variant>\w+))?\.index(?:\.(?P<late>\w+))?\.json"
)
LOOKED_FOR = tuple(
    f"diffusion_pytorch_model.{ending}" for ending in ("safetensors", "fp16.safetensors", "bin", "fp16.bin")
)


@dataclass(frozen=True, order=True)
class Choice:
    """One way to read a network's weights; the least is the best.

    Attributes:
        whole: one file, not shards.
    """

    ending: int
    precision: int
    variant: str
    whole: bool
    stem: str


def choose_weights(names: Iterable[str]) -> list[str]:
    """Choose the weights of a network among the names of the files in its folder, with the index of shards.

    Returns:
        No names if there are no weights.
    """
    choices: dict[Choice, list[str]] = {}
    for name in names:
        choice = _choice_of_file(name) or _choice_of_index(name)
        if choice is not None:
            choices.setdefault(choice, []).append(name)
    return sorted(choices[min(choices)]) if choices else []


def weight_files(folder: Path) -> list[Path]:
    """Find the files of a network's weights: one file, or all shards.

    Args:
        folder: of the network, or the one file that is all of it.
    Raises:
        CheckpointError: there are none, or one is missing; names it.
    """
    if folder.is_file():
        return [folder]
    chosen = choose_weights(file.name for file in folder.iterdir()) if folder.is_dir() else []
    if not chosen:
        raise CheckpointError(f"no weights in {folder}: looked for {', '.join(LOOKED_FOR)}{_others(folder)}")
    indexes = [name for name in chosen if INDEX_FILE.fullmatch(name)]
    if indexes:
        index = folder / indexes[0]
        return [_expect(folder, name, f"{index} names") for name in sorted(set(weight_map(index).values()))]
    shards = {int(found["shard"]): found for name in chosen if (found := _file(name))["shard"]}
    if shards:
        first = next(iter(shards.values()))
        number, width = int(first["shards"]), len(first["shard"])
        for shard in range(1, number + 1):
            if shard not in shards:
                name = first.string.replace(f"-{first['shard']}-of", f"-{shard:0{width}d}-of")
                _expect(folder, name, f"the shards in {folder} need")
    return [_expect(folder, name, f"{folder} has") for name in chosen]


def weight_map(index: Path) -> dict[str, str]:
    """Read which shard holds which tensor. Raises CheckpointError if the index does not say so."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CheckpointError(f"{index} is no index of shards: it has no weight_map")
    return names


def index_of(folder: Path) -> Path | None:
    """Return the index of the shards that `weight_files` finds; None where it finds one file, or has no index."""
    if folder.is_file():
        return None
    chosen = choose_weights(file.name for file in folder.iterdir())
    return next((folder / name for name in chosen if INDEX_FILE.fullmatch(name)), None)


def _expect(folder: Path, name: str, who: str) -> Path:
    file = folder / name
    if Path(name).name != name or not file.is_file():
        raise CheckpointError(f"{who} {name}, which is missing{explain_missing(file)}")
    if file.with_name(f"{name}.aria2").exists():
        raise CheckpointError(f"{file} is only partly downloaded: {name}.aria2 lies beside it")
    return file


def _others(folder: Path) -> str:
    """Name what a folder without weights holds instead of them."""
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    partial = [name for name in names if is_partial(name)]
    if partial:
        return f"; only partly downloaded: {', '.join(partial)}"
    others = [name for name in names if not name.endswith((".json", ".txt", ".md", ".model"))]
    return f"; found {', '.join(others[:5])}, which are not read" if others else ""


def _file(name: str) -> re.Match[str]:
    found = WEIGHT_FILE.fullmatch(name)
    assert found is not None
    return found


def _choice_of_file(name: str) -> Choice | None:
    found = WEIGHT_FILE.fullmatch(name)
    if found is None:
        return None
    return _choice(found, found["variant"] or found["late"] or "", whole=found["shard"] is None)


def _choice_of_index(name: str) -> Choice | None:
    found = INDEX_FILE.fullmatch(name)
    if found is None:
        return None
    return _choice(found, found["early"] or found["variant"] or found["late"] or "", whole=False)


def _choice(found: re.Match[str], variant: str, *, whole: bool) -> Choice:
    precision = PRECISIONS.index(variant) if variant in PRECISIONS else len(PRECISIONS)
    return Choice(ENDINGS.index(found["ending"]), precision, variant, whole, found["stem"])
