"""The steps that a stage reports are those that were planned for it, whatever its parts make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from cascade.models.diffusion.sampling import OnStep, WatchesEstimates


class PlannedSteps:
    """Reports the steps of a stage's parts as steps of the whole stage.

    A schedule may take a step more or fewer than it was asked for, and a part may be left out. The number of steps that is
    reported is the planned one all the same, and the step never falls.

    Args:
        on_step: called with (step, planned), step from 1 to planned.
        planned: the steps of all parts (`StageSpec.planned_steps`).
    """

    def __init__(self, on_step: OnStep, planned: int) -> None:
        self._on_step, self.planned = on_step, planned
        self._assigned = self._reported = 0

    def part(self, steps: int) -> OnStep:
        """Make the callback of the next part: its step k of n is reported as a share of the `steps` planned for it."""
        before = self._assigned
        self._assigned += steps
        part = Part(self, before, steps)
        return WatchedPart(part, self._on_step) if isinstance(self._on_step, WatchesEstimates) else part

    def skip(self, steps: int) -> None:
        """Report a part that is left out as done."""
        self.part(steps)
        self.catch_up()

    def catch_up(self) -> None:
        """Report the parts so far as done, unless they were already."""
        if self._reported < min(self._assigned, self.planned):
            self.report(self._assigned)

    def report(self, step: int) -> None:
        """Report a step of the whole stage."""
        self._reported = max(self._reported, min(step, self.planned))
        self._on_step(self._reported, self.planned)


@dataclass(frozen=True)
class Part:
    """The callback of one part: `steps` steps of the whole stage, behind the first `before` ones."""

    whole: PlannedSteps
    before: int
    steps: int

    def __call__(self, step: int, steps: int) -> None:
        self.whole.report(self.planned_step(step, steps))

    def planned_step(self, step: int, steps: int) -> int:
        """Return step k of n of the part as a step of the whole stage, rounded up: the first one is never 0."""
        return self.before - (-self.steps * step // steps)


@dataclass(frozen=True)
class WatchedPart:
    """The callback of a part of a stage whose own callback watches estimates."""

    part: Part
    watcher: WatchesEstimates

    def __call__(self, step: int, steps: int) -> None:
        self.part(step, steps)

    def look(self, step: int, steps: int, estimate: Callable[[], Tensor]) -> None:
        """Offer the part's estimate (batch, channels, frames, height, width) as that of a step of the whole stage."""
        planned = self.part.whole.planned
        self.watcher.look(min(self.part.planned_step(step, steps), planned), planned, estimate)
