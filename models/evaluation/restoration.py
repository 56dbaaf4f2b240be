"""Restoration: a true clip is degraded to what a stage is handed, and the stage's output is compared with the truth."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from cascade.models.presets.spec import StageSpec


class Restoration(Protocol):
    """Degrades true clips to the input of one kind of stage (`StageEntry.restoration`)."""

    def degrade(self, truth: Tensor, spec: StageSpec[Any]) -> Tensor:
        """Make what the stage before would hand over of a clip (frames, 3, height, width) in [-1, 1]: the same axes."""
        ...

    def baseline(self, degraded: Tensor, truth: Tensor) -> Tensor:
        """Restore `degraded` without a network, to the shape of `truth` (frames, 3, height, width)."""
        ...
