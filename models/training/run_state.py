"""The saved state of a run: files that are replaced all together, so that a kill leaves those of before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
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
        """Read a part; its tensors come to the CPU. Raises TrainingError where it is damaged."""
        with self.taken_up(part) as value:
            return value

    @contextmanager
    def taken_up(self, part: str) -> Iterator[Any]:
        """Give what is read of a part to whom it belongs to; what cannot be read, or does not fit, is damaged.

        Raises:
            TrainingError: naming the file, and what to do.
        """
        file = self.folder / f"{part}.pt"
        try:
            yield torch.load(file, weights_only=True, map_location="cpu")
        except (
            OSError,
            EOFError,
            RuntimeError,
            ValueError,
            LookupError,
            TypeError,
            UnpicklingError,
        ) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise TrainingError(
                f"{file} is damaged ({reason}): put back a copy of {self.folder}, or delete that folder to begin again"
            ) from error

    def read_run(self, identity: Mapping[str, object]) -> dict[str, Any]:
        """Read the part `run`, which `save` was given with the same identity.

        Raises:
            TrainingError: it is damaged, another run's, or was saved by a version with other names of parameters.
        """
        run = self.read("run") if (self.folder / "run.pt").exists() else {}
        if not isinstance(run, dict) or run.get("version") != VERSION:
            raise TrainingError(
                f"{self.folder.parent} holds a run of another version of this program, whose parameters have other names; "
                "choose another folder"
            )
        for what, own in identity.items():
            if run.get(what) != own:
                raise TrainingError(
                    f"{self.folder.parent} holds a run whose {what} is {run.get(what)}, not {own}; go on with that, or choose "
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
