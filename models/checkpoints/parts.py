"""Where a part of a checkpoint lies: in a folder of its own, at the root, or in a single file.

    unet/                  the diffusers layout
    config.json            a text encoder and its tokenizer at the root, as transformers publishes them
    weights/movq.pt        one file of PyTorch's, by its path: the part's name is the path

Free of torch.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

TEXT_PARTS = ("text_encoder", "tokenizer")


def find_part(checkpoint: Path, part: str) -> Path:
    """Return the folder or file of a part; where there is none, the folder where it was looked for first."""
    if part in TEXT_PARTS and not (checkpoint / part).is_dir() and (checkpoint / "config.json").is_file():
        return checkpoint
    return checkpoint / part


def files_of_part(names: Collection[str], part: str) -> dict[str, str]:
    """Choose the files of a part among the names of a repository's files: each by its name within the part."""
    if part in names:
        return {part: part}
    inside = {name.removeprefix(f"{part}/"): name for name in names if name.startswith(f"{part}/")}
    if not inside and part in TEXT_PARTS and "config.json" in names:
        inside = {name: name for name in names}
    return {own: name for own, name in inside.items() if "/" not in own}


def part_title(part: str) -> str:
    """Return a part's name as people see it: folders end with a slash."""
    return part if Path(part).suffix else f"{part}/"
