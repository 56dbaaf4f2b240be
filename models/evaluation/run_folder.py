"""The folder of a run: what it is made with, and a line of JSON for every sample, behind which a cut run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cascade.models.checkpoints.files import CHECKSUMS, locate, needed_by, sha256
from cascade.models.evaluation.suites import Suite
from cascade.models.presets.table import Preset

RUN = "run.json"
SAMPLES = "samples.jsonl"


@dataclass(frozen=True)
class RunIdentity:
    """What the figures of a run depend on.

    Attributes:
        stages: the specification by stage kind.
        networks: the description of those that judge.
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
        """`checkpoints` is the folder below which they are looked for first."""
        names = {needed.name for needed in needed_by(preset)} | {spec.text_encoder for spec in preset.stages}
        return cls(
            preset=preset.name,
            stages={str(spec.kind): repr(spec) for spec in preset.stages},
            suite=repr(replace(suite, description="")),
            networks=networks,
            checkpoints={name: _digest(locate(checkpoints, name)) for name in sorted(names)},
            listing=None if listing is None else sha256(listing),
        )


def bind(folder: Path, identity: RunIdentity) -> None:
    """Make the folder that of the run, or go on in it. Raises ValueError where it is that of another run."""
    file, wanted = folder / RUN, asdict(identity)
    if file.is_file() or (folder / SAMPLES).is_file():
        found = json.loads(file.read_text()) if file.is_file() else {}
        differing = [name for name, value in wanted.items() if found.get(name) != value]
        if differing:
            raise ValueError(
                f"{folder} holds another run, which differs in {', '.join(differing)}; choose another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(file, json.dumps(wanted, indent=2) + "\n")


def kept_samples(folder: Path) -> list[dict[str, Any]]:
    """The records so far; if the last line was cut, it is dropped from the file."""
    records = list(_whole_lines(folder / SAMPLES))
    _write_whole(folder / SAMPLES, "".join(json.dumps(record) + "\n" for record in records))
    return records


def _whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        return
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _write_whole(file: Path, text: str) -> None:
    """Whoever is killed here leaves the old file or the new one."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text)
    fresh.replace(file)


def _digest(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "not there"
    sums = checkpoint / CHECKSUMS
    return sha256(sums) if sums.is_file() else str(checkpoint.resolve())
