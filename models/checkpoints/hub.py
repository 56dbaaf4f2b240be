"""Repositories of the hub: what of them is downloaded, and where it lies in the hub's cache.

Only what is read is downloaded: the parts asked for, and of their weights one precision in one format.
huggingface_hub takes up a broken connection inside a file. A process that is stopped leaves nothing of the file that it
was at: the next one keeps the files that are whole, and begins that one again.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from cascade.models.checkpoints.parts import files_of_part, find_part
from cascade.models.checkpoints.plain_files import one_line, read_json
from cascade.models.checkpoints.weight_files import INDEX_FILE, WEIGHT_FILE, choose_weights
from cascade.models.errors import CheckpointError

INDEX = "model_index.json"
CONFIGURATION = (".json", ".model", ".txt")
UNUSED_PARTS = ("safety_checker",)
"""Parts that pipelines list and that are not loaded here."""


def cached(name: str) -> Path | None:
    """Return the folder of a repository in the hub's cache; None if nothing of it has been downloaded."""
    try:
        return Path(snapshot_download(name, allow_patterns=[INDEX], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def download(name: str, parts: tuple[str, ...] | None) -> Path:
    """Return the folder of a repository with the given parts in it, downloaded if need be (with a progress bar).

    Args:
        parts: such as `unet`; None takes all that the repository's `model_index.json` lists.
    Raises:
        CheckpointError: the repository or a file of it cannot be had, and is not in the cache.
    """
    try:
        path = Path(snapshot_download(name, allow_patterns=[INDEX]))
        wanted = listed_parts(path) if parts is None else parts
        try:
            names = HfApi().list_repo_files(name, revision=path.name)
        except Exception:  # whatever its HTTP client raises
            if all(find_part(path, part).exists() for part in wanted):  # its readers say what is missing
                return path
            raise
        files = [file for part in wanted for file in used_files(names, part)]
        return Path(snapshot_download(name, revision=path.name, allow_patterns=files)) if files else path
    except CheckpointError:
        raise
    except Exception as error:  # of its HTTP client, TLS, the cache's disk
        raise CheckpointError(f'"{name}" cannot be had from the hub: {one_line(error)}') from error


def listed_parts(path: Path) -> tuple[str, ...]:
    """Return the parts that a pipeline's `model_index.json` lists, without those that are not used.

    Raises:
        CheckpointError: the file is missing or not as diffusers writes it.
    """
    return tuple(part for part, entry in read_index(path).items() if entry and part not in UNUSED_PARTS)


def read_index(path: Path) -> dict[str, tuple[str, str] | None]:
    """Read the library and class of every part in `model_index.json`; None of those that are left out."""
    entries = {part: value for part, value in read_json(path / INDEX).items() if isinstance(value, list)}
    return {
        part: (str(value[0]), str(value[1])) if len(value) == 2 and all(value) else None
        for part, value in entries.items()
    }


def used_files(names: list[str], part: str) -> list[str]:
    """Choose the files of a part that are read, among the names of a repository's files."""
    files = files_of_part(names, part)
    if part in files:
        return [part]
    weights = choose_weights(files)
    others = [
        name
        for name in files
        if name.endswith(CONFIGURATION) and not INDEX_FILE.fullmatch(name) and not WEIGHT_FILE.fullmatch(name)
    ]
    return [files[name] for name in (*others, *weights)]
