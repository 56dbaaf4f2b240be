"""Progress bars of the command line."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
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

from cascade.service.api.schemas.videos import Video


def stage_bars() -> Progress:
    """Make bars for stages, with their times."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns)


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
    if last is None:
        raise ValueError("there is no video to show")
    return last


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
