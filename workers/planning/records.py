"""What job records say of a line's demand: which kinds of jobs came, how often, and how long their stages took."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cascade.models.presets.spec import queue_name
from cascade.workers.errors import WorkerError
from cascade.workers.jobs.record import Job, JobStatus, StageStatus
from cascade.workers.planning.demand import Arrival, Kind, Visit


class TooFewRecords(WorkerError):
    """There are no completed jobs to plan by."""


@dataclass(frozen=True)
class RecordedStage:
    """A stage that a worker ran once, from its start to its end."""

    name: str
    seconds: float
    memory_bytes: int | None = None


@dataclass(frozen=True)
class RecordedJob:
    """A completed job: what was asked for, when (Unix seconds), and the stages that were run for it."""

    preset: str
    size: str
    created_at: float
    stages: tuple[RecordedStage, ...]
    project: str = "default"

    @property
    def kind(self) -> str:
        """Name the kind of job: preset, size, and the first and last stage that were run."""
        names = dict.fromkeys((self.stages[0].name, self.stages[-1].name))
        return f"{self.preset} {self.size} {' to '.join(names)}"


def recorded(job: Job) -> RecordedJob | None:
    """Return what a record says; None for a job that is not completed, or of which a stage was tried several times."""
    ended = [stage for stage in job.stages if stage.status is StageStatus.COMPLETED and not stage.reused]
    stages = tuple(
        RecordedStage(stage.name, stage.finished_at - stage.started_at, stage.peak_memory_bytes)
        for stage in ended
        if stage.finished_at is not None and stage.started_at is not None and stage.attempts == 1
    )
    if job.status is not JobStatus.COMPLETED or not stages or len(stages) < len(ended):
        return None
    return RecordedJob(job.request.preset, str(job.plan[-1].size), job.created_at, stages, job.project)


def kinds_of(jobs: Iterable[RecordedJob], p95_s: float, speeds: Mapping[str, float]) -> tuple[Kind, ...]:
    """Sort jobs into kinds by preset, size and stages; the times of all of a kind's stages are drawn from later.

    Args:
        speeds: of each device, in proportion to that of the device whose records these are.
    Raises:
        TooFewRecords: there are no jobs.
    """
    by_kind: dict[str, list[RecordedJob]] = {}
    for job in jobs:
        by_kind.setdefault(job.kind, []).append(job)
    if not by_kind:
        raise TooFewRecords(
            "no video that is completed tells how long stages take; make some first, or give the times: "
            "--stage or --file"
        )
    return tuple(
        Kind(name, len(same), p95_s, _visits(same, speeds)) for name, same in sorted(by_kind.items())
    )


def per_second(jobs: Sequence[RecordedJob]) -> float:
    """Return how many jobs came in a second, from the first to the last.

    Raises:
        TooFewRecords: they came all at once.
    """
    times = sorted(job.created_at for job in jobs)
    if len(times) < 2 or times[0] == times[-1]:
        raise TooFewRecords(f"{len(times)} videos do not tell how many come in a day; give --jobs-per-day")
    return (len(times) - 1) / (times[-1] - times[0])


def _visits(jobs: Sequence[RecordedJob], speeds: Mapping[str, float]) -> tuple[Visit, ...]:
    visits = []
    for stages in zip(*(job.stages for job in jobs), strict=True):
        times = [stage.seconds for stage in stages]
        memory = max((stage.memory_bytes or 0 for stage in stages), default=0)
        visits.append(
            Visit(
                queue_name(jobs[0].preset, stages[0].name),
                {device: tuple(time / speed for time in times) for device, speed in speeds.items()},
                memory or None,
            )
        )
    return tuple(visits)


def arrivals_again(jobs: Sequence[RecordedJob], kinds: Sequence[Kind], seed: int) -> tuple[Arrival, ...]:
    """Let recorded jobs come again, at their times, with the times of their stages drawn anew.

    Args:
        kinds: of these jobs, as `kinds_of` returns them.
    """
    by_name = {kind.name: kind for kind in kinds}
    draw = random.Random(seed)  # noqa: S311
    first = min(job.created_at for job in jobs)
    return tuple(
        Arrival(
            job.created_at - first,
            by_name[job.kind],
            job.project,
            tuple(draw.random() for _ in job.stages),
        )
        for job in sorted(jobs, key=lambda job: job.created_at)
    )
