"""The saved state of a run: files that are replaced all together, so that a kill leaves those of before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cascade.models.errors import TrainingError

VERSION = 2
"""Of the parts of a saved state and the names of parameters in it; states of version 1 do not say it."""


@dataclass(frozen=True)
class RunState:
    """Parts by name, a file of tensors and plain values each, in a folder of their own."""

    folder: Path

    def exists(self) -> bool:
        """Return whether a state was saved; one that was just being replaced is put back."""
        if not self.folder.is_dir() and self._old.is_dir():
            self._old.rename(self.folder)
        return self.folder.is_dir()

    def read(self, part: str) -> Any:
        """Read a part; its tensors come to the CPU."""
        return torch.load(self.folder / f"{part}.pt", weights_only=True, map_location="cpu")

    def read_run(self, identity: Mapping[str, object]) -> dict[str, Any]:
        """Read the part `run`, which `save` was given with the same identity.

        Raises:
            TrainingError: it is another run's, or was saved by a version with other names of parameters.
        """
        run: dict[str, Any] = self.read("run") if (self.folder / "run.pt").is_file() else {}
        if run.get("version") != VERSION:
            raise TrainingError(
                f"{self.folder.parent} holds a run of another version of this program, whose parameters have other names; "
                "choose another folder"
            )
        for what, own in identity.items():
            if run[what] != own:
                raise TrainingError(
                    f"{self.folder.parent} holds a run whose {what} is {run[what]}, not {own}; go on with that, or choose "
                    "another folder"
                )
        return run

    def save(self, identity: Mapping[str, object], run: Mapping[str, object], **parts: Any) -> None:
        """Replace all parts: `run`, small values that are kept with the run's identity, and the others."""
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        parts["run"] = {"version": VERSION, **identity, **run}
        for name, part in parts.items():
            torch.save(part, fresh / f"{name}.pt")
        shutil.rmtree(self._old, ignore_errors=True)
        if self.folder.is_dir():
            self.folder.rename(self._old)
        fresh.rename(self.folder)
        shutil.rmtree(self._old, ignore_errors=True)

    @property
    def _old(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.old")
