"""Progress bars of the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cascade.service.api.schemas.videos import EstimateView, Video

UNITS_S = (("d", 86_400), ("h", 3600), ("min", 60))


class StageBars(Progress):
    """Bars of stages with their times, and a line below them."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bars, and the line if there is one."""
        yield self.make_tasks_table(self.tasks)
        if self.note:
            yield Text(self.note, style="dim")


def stage_bars() -> StageBars:
    """Make bars for stages, with their times."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return StageBars(*columns)


def show_progress(videos: Iterable[Video]) -> Video:
    """Show a bar per stage while a video goes along; returns the video as it was last.

    Raises:
        ValueError: `videos` is empty.
    """
    last: Video | None = None
    with stage_bars() as bars:
        tasks: dict[str, TaskID] = {}
        for video in videos:
            last = video
            for stage in video.stages:
                if stage.name not in tasks:
                    tasks[stage.name] = bars.add_task(stage.title, total=100, start=False)
                task = tasks[stage.name]
                if stage.status != "pending":
                    bars.start_task(task)
                bars.update(task, completed=stage.progress)
                if stage.status == "completed":
                    bars.stop_task(task)
            bars.note = "" if video.estimate is None else estimate_line(video.estimate)
    if last is None:
        raise ValueError("there is no video to show")
    return last


def estimate_line(estimate: EstimateView) -> str:
    """Say when a video goes on and ends, as far as the gateway knows; empty if it does not."""
    place = "next in line" if estimate.position == 1 else f"place {estimate.position} in the line"
    parts = [] if estimate.position is None else [place]
    if estimate.seconds_left is not None:
        parts.append(f"about {duration(estimate.seconds_left)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Write a length of time in one unit: the largest of which there are two, or seconds."""
    for unit, length_s in UNITS_S:
        if seconds >= 2 * length_s:
            return f"{seconds // length_s:.0f} {unit}"
    return f"{max(math.ceil(seconds), 1)} s"


def training_bar(console: Console) -> Progress:
    """Make a bar of steps, loss, clips per second and the remaining time."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  {task.fields[rate]:.1f} clips/s"),
        TimeRemainingColumn(),
        console=console,
    )


def evaluation_bar() -> Progress:
    """Make a bar of samples and the remaining time."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
