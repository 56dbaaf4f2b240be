"""The folder of a run: its identity, and a line of JSON for every sample, after which an interrupted run continues."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cascade.models.checkpoints.files import CHECKSUMS, locate, sha256
from cascade.models.checkpoints.requirements import requirements
from cascade.models.errors import EvaluationError
from cascade.models.evaluation.suites import Suite
from cascade.models.presets.spec import Preset

RUN = "run.json"
SAMPLES = "samples*.jsonl"
"""The files of samples of all parts."""


@dataclass(frozen=True)
class RunIdentity:
    """All that the figures of a run depend on.

    Attributes:
        stages: the specification of each stage.
        networks: the description of the networks that measure.
        checkpoints: by name, the digest of the checksums, or where it is if it has none.
        listing: digest of the list of videos, if there is one.
    """

    preset: str
    stages: Mapping[str, str]
    suite: str
    networks: str
    checkpoints: Mapping[str, str]
    listing: str | None

    @classmethod
    def of(
        cls, preset: Preset, suite: Suite, networks: str, checkpoints: Path, listing: Path | None
    ) -> RunIdentity:
        """Identify a run; `checkpoints` is the folder below which they are looked for first."""
        names = {requirement.name for requirement in requirements(preset)} | {
            spec.text_encoder for spec in preset.stages
        }
        return cls(
            preset=preset.name,
            stages={spec.name: repr(spec) for spec in preset.stages},
            suite=repr(replace(suite, description="")),
            networks=networks,
            checkpoints={name: _digest(locate(checkpoints, name)) for name in sorted(names)},
            listing=None if listing is None else sha256(listing),
        )


def bind(folder: Path, identity: RunIdentity) -> None:
    """Claim the folder for a run, or find it again. Raises EvaluationError where it holds another run."""
    file, fields = folder / RUN, asdict(identity)
    if file.is_file() or any(folder.glob(SAMPLES)):
        previous = json.loads(file.read_text()) if file.is_file() else {}
        differing = [name for name, value in fields.items() if previous.get(name) != value]
        if differing:
            raise EvaluationError(
                f"{folder} holds another run, which differs in {', '.join(differing)}; choose another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    _replace(file, json.dumps(fields, indent=2) + "\n")


def drop_cut_line(file: Path) -> None:
    """Drop a last line that was cut off from a file of samples."""
    _replace(file, "".join(json.dumps(record) + "\n" for record in _complete_lines(file)))


def read_samples(folder: Path) -> list[dict[str, Any]]:
    """Return the records of all parts so far, but for last lines that were cut off."""
    return [record for file in sorted(folder.glob(SAMPLES)) for record in _complete_lines(file)]


def _complete_lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        return
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _replace(file: Path, text: str) -> None:
    """Replace the file atomically."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_text(text)
    fresh.replace(file)


def _digest(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "not there"
    sums = checkpoint / CHECKSUMS
    return sha256(sums) if sums.is_file() else str(checkpoint.resolve())
