"""The steps that a stage reports are those that were planned for it, whatever its parts make of them."""

from __future__ import annotations

from cascade.models.diffusion.sampling import OnStep


class PlannedSteps:
    """Reports the steps of a stage's parts as steps of the whole stage.

    A schedule may take a step more or fewer than it was asked for, and a part may be left out. The number of steps that is
    reported is the planned one all the same, and the step never falls.

    Args:
        on_step: called with (step, planned), step from 1 to planned.
        planned: the steps of all parts (`StageSpec.planned_steps`).
    """

    def __init__(self, on_step: OnStep, planned: int) -> None:
        self._on_step, self._planned = on_step, planned
        self._assigned = self._reported = 0

    def part(self, steps: int) -> OnStep:
        """Make the callback of the next part: its step k of n is reported as a share of the `steps` planned for it."""
        before = self._assigned
        self._assigned += steps
        return lambda k, n: self._report(before + -(-steps * k // n))  # rounded up: the first step is never 0

    def skip(self, steps: int) -> None:
        """Report a part that is left out as done."""
        self.part(steps)
        self.catch_up()

    def catch_up(self) -> None:
        """Report the parts so far as done, unless they were already."""
        if self._reported < min(self._assigned, self._planned):
            self._report(self._assigned)

    def _report(self, step: int) -> None:
        self._reported = max(self._reported, min(step, self._planned))
        self._on_step(self._reported, self._planned)
