"""Progress of diffusers' pipelines, step by step, by whichever way a pipeline has of telling it.

Newer pipelines take `callback_on_step_end`, older ones `callback` and `callback_steps`, some neither; these all show a
progress bar. What is raised in the callback ends the pipeline, whichever way it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Self

from diffusers import DiffusionPipeline

from cascade.models.diffusion.sampling import OnStep


@contextmanager
def watched(
    pipeline: DiffusionPipeline, parameters: Iterable[str], steps: int, on_step: OnStep
) -> Iterator[Mapping[str, Any]]:
    """Have a pipeline report its steps while it runs.

    Args:
        parameters: that the pipeline's call takes.
        steps: that it probably runs, where it does not say.
        on_step: called with (k, n) after step k of n.
    Yields:
        Arguments for the pipeline's call.
    """

    def on_step_end(
        running: Any, step: int, _timestep: Any, tensors: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        on_step(step + 1, max(getattr(running, "num_timesteps", None) or steps, step + 1))
        return tensors or {}

    def callback(step: int, _timestep: Any, _latents: Any) -> None:
        on_step(step + 1, max(steps, step + 1))

    names = set(parameters)
    if "callback_on_step_end" in names:
        yield {"callback_on_step_end": on_step_end}
    elif "callback" in names:
        yield {"callback": callback} | ({"callback_steps": 1} if "callback_steps" in names else {})
    else:
        pipeline.progress_bar = lambda iterable=None, total=None: ReportingBar(
            iterable, total or steps, on_step
        )
        try:
            yield {}
        finally:
            del pipeline.progress_bar


class ReportingBar:
    """Takes the place of a pipeline's progress bar, and reports instead of drawing.

    Args:
        iterable: what a loop goes through; None where the pipeline calls `update` itself.
        total: steps, unless the iterable knows its length.
    """

    def __init__(self, iterable: Iterable[Any] | None, total: int, on_step: OnStep) -> None:
        self._iterable = iterable
        self._total = len(iterable) if isinstance(iterable, Sized) else total
        self._on_step, self._step = on_step, 0

    def update(self, steps: float | None = 1) -> None:
        self._step += int(steps or 0)
        self._on_step(self._step, max(self._total, self._step))

    def __iter__(self) -> Iterator[Any]:
        for item in self._iterable or ():
            yield item
            self.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        """What else bars have, such as `set_postfix`, changes nothing."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_args, **_options: None
