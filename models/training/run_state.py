"""The saved state of a run: files that are replaced all together, so that a kill leaves those of before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class RunState:
    """Parts by name, a file of tensors and plain values each, in a folder of their own."""

    folder: Path

    def exists(self) -> bool:
        """Whether a state was saved. One that was just being replaced is put back."""
        if not self.folder.is_dir() and self._old.is_dir():
            self._old.rename(self.folder)
        return self.folder.is_dir()

    def read(self, part: str) -> Any:
        """A part, on the CPU."""
        return torch.load(self.folder / f"{part}.pt", weights_only=True, map_location="cpu")

    def save(self, **parts: Any) -> None:
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
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
