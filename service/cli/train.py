"""`cascade train STAGE`: train one stage of a preset, or all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cascade.models.errors import ModelError
from cascade.models.presets.table import PRESETS, InvalidParameter

console = Console()
SHOWN = 10
"""Video files that could not be used are named, up to so many."""
STAGES = ("keyframes", "interpolation", "super-resolution", "autoencoder", "expert-translation")


def train(
    stage: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}, or all.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the runs; a run there goes on.")],
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "shapes",
    data: Annotated[
        Path | None,
        typer.Option(help="CSV or JSON lines of video files and captions; else moving shapes.", exists=True),
    ] = None,
    stride: Annotated[
        int, typer.Option(min=1, help="Take every so many frames of video files, at the last stage's rate.")
    ] = 1,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the checkpoints to start from, replaced as stages are done; OUTPUT/checkpoints."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**23 - 1, help="Fixes the whole run.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many more steps.")] = None,
    precision: Annotated[str, typer.Option(help="Mixed precision: no, bf16 or fp16.")] = "no",
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw clips ahead.")] = 0,
    save_every: Annotated[int, typer.Option(min=1, help="Save the state every so many steps.")] = 500,
    sample_every: Annotated[int, typer.Option(min=1, help="Draw a sample sheet every so many steps.")] = 500,
) -> None:
    """Train by the preset's recipes; goes on where the output folder stands. In several processes: torchrun."""
    from cascade.models.train import TrainingRun
    from cascade.models.training.loop import Rhythm, training_processes

    console.quiet = not training_processes().is_main_process
    folder = checkpoints or output / "checkpoints"
    run = TrainingRun(
        preset, output, folder, data, stride, seed, precision, workers, Rhythm(save_every, sample_every)
    )
    for name in STAGES if stage == "all" else (stage,):
        with training_bar() as bar:
            task = bar.add_task(name, total=None, loss=float("nan"), rate=0.0)

            def report(progress: Any, bar: Progress = bar, task: Any = task) -> None:
                seen = {"loss": progress.loss, "rate": progress.clips_per_s}
                bar.update(task, total=progress.steps, completed=progress.step, **seen)

            try:
                outcome = run.train(name, report, steps)
            except (ModelError, InvalidParameter, ValueError) as error:
                raise typer.BadParameter(str(error)) from error
        if outcome.skipped:
            console.print(f"{name}: {len(outcome.skipped)} video files could not be used")
            for path in sorted(outcome.skipped)[:SHOWN]:
                console.print(f"  {path}", highlight=False)
        if not outcome.finished:
            console.print(f"{name}: to be continued, in {output / name}")
            return  # the stages behind it start from what it becomes
        console.print(f"{name}: trained, in {output / name}")


def training_bar() -> Progress:
    """Steps, loss, clips per second and the time that is left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  {task.fields[rate]:.1f} clips/s"),
        TimeRemainingColumn(),
        console=console,
    )
