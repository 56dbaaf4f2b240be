"""`cascade train PART`: train one part of a preset, or all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.progress import TaskID

from cascade.models.errors import ModelError
from cascade.service.cli.options import PresetName, preset_or_first
from cascade.service.cli.progress import training_bar

if TYPE_CHECKING:
    from cascade.models.train import Outcome
    from cascade.models.training.progress import Progress

console = Console()
MAX_NAMES = 10
"""Of the video files that could not be used, as many are named."""


def train(
    part: Annotated[
        str, typer.Argument(help="A part of the preset: a stage, or what else its recipes name; or all.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the runs; a run there is continued.")
    ],
    preset: PresetName = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON lines of video files and captions; else the preset's own clips.", exists=True
        ),
    ] = None,
    stride: Annotated[
        int, typer.Option(min=1, help="Keep every n-th frame of video files, at the last stage's rate.")
    ] = 1,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the checkpoints to start from; trained ones take their place there.",
            show_default="OUTPUT/checkpoints",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**23 - 1, help="Fixes the whole run.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many more steps.")] = None,
    precision: Annotated[str, typer.Option(help="Mixed precision: no, bf16 or fp16.")] = "no",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare clips ahead.")] = 0,
    save_every: Annotated[int, typer.Option(min=1, help="Save the state every n steps.")] = 500,
    sample_every: Annotated[int, typer.Option(min=1, help="Draw a sample sheet every n steps.")] = 500,
) -> None:
    """Train by the preset's recipes; a run in the output folder is continued. In several processes: torchrun."""
    from cascade.models.train import TrainingRun, trainable_parts
    from cascade.models.training.loop import training_processes
    from cascade.models.training.progress import Rhythm

    console.quiet = not training_processes().is_main_process
    cascade = preset_or_first(preset).name
    folder = checkpoints or output / "checkpoints"
    rhythm = Rhythm(save_every, sample_every)
    run = TrainingRun(cascade, output, folder, data, stride, seed, precision, workers, rhythm)
    try:
        parts = trainable_parts(cascade) if part == "all" else (part,)
        for name in parts:
            with training_bar(console) as bar:
                task = bar.add_task(name, total=None, loss=float("nan"), rate=0.0)
                outcome = run.train(name, lambda progress: show_step(bar, task, progress), steps)  # noqa: B023
            _report(name, outcome)
            if not outcome.finished:
                console.print(f"{name}: to be continued, in {output / name}")
                return  # the parts behind it start from what it becomes
            console.print(f"{name}: trained, in {output / name}")
    except (ModelError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def show_step(bar: ProgressBar, task: TaskID, progress: Progress) -> None:
    """Draw how far a training is."""
    bar.update(
        task,
        total=progress.steps,
        completed=progress.step,
        loss=progress.loss,
        rate=progress.clips_per_s,
    )


def _report(part: str, outcome: Outcome) -> None:
    if outcome.skipped:
        console.print(f"{part}: {len(outcome.skipped)} video files could not be used")
        for path in sorted(outcome.skipped)[:MAX_NAMES]:
            console.print(f"  {path}", highlight=False)
