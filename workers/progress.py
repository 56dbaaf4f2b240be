"""The callback of every denoising step: it records the progress, and stops the stage when it must."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cascade.workers.errors import LeaseLost, TimeLimitExceeded, WorkerStopping
from cascade.workers.jobs.store import UNMARKED, JobStore
from cascade.workers.jobs.transitions import advance_stage
from cascade.workers.outages import outage
from cascade.workers.queue.lease import Lease

SILENCE_S = 5.0
"""How long steps are not recorded after Redis could not be reached: the stage itself does not need it."""

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """Called with (step, steps) after every denoising step; what it raises ends the stage.

    Attributes:
        must_stop: returns whether this worker's time to finish the stage is over.
        time_limit_s: how long a stage may take.
        started_at: monotonic seconds.
    """

    jobs: JobStore
    lease: Lease
    stage: str
    must_stop: Callable[[], bool]
    time_limit_s: float
    started_at: float = field(default_factory=time.monotonic)
    _silent_until: float = field(default=0.0, init=False)

    def __call__(self, step: int, steps: int) -> None:
        """Record the step.

        Raises:
            JobNotFound, IllegalTransition: the job was deleted, or is over.
            LeaseLost, WorkerStopping, TimeLimitExceeded.
        """
        if time.monotonic() >= self._silent_until:
            self._record(step, steps)
        if self.lease.lost.is_set():
            raise LeaseLost(f"another worker has taken stage {self.stage}")
        if self.must_stop():
            raise WorkerStopping(f"stage {self.stage} is handed back")
        if time.monotonic() - self.started_at > self.time_limit_s:
            raise TimeLimitExceeded(
                f"stage {self.stage} took longer than CASCADE_STAGE_TIME_LIMIT_S ({self.time_limit_s:g} s)"
            )

    def _record(self, step: int, steps: int) -> None:
        try:
            change = partial(advance_stage, stage=self.stage, step=step, steps=steps)
            self.jobs.update(self.lease.job_id, change, write=UNMARKED)
        except Exception as error:
            if outage(error) is None:
                raise
            logger.warning("step %d of stage %s is not recorded: %s", step, self.stage, error)
            self._silent_until = time.monotonic() + SILENCE_S
