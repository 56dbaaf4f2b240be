"""`cascade train PART`: train one part of a preset, or all."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.progress import TaskID

from cascade.models.errors import ModelError
from cascade.models.output_files import check_folder
from cascade.models.training.listing import Columns, read_listing
from cascade.models.training.parts import recipe_of, trainable_parts
from cascade.service.cli.options import FramesPerSecond, PresetName, preset_or_first
from cascade.service.cli.progress import training_bar

if TYPE_CHECKING:
    from cascade.models.train import TrainingRun
    from cascade.models.training.list_check import ListCheck
    from cascade.models.training.progress import Progress

console = Console()
MAX_NAMES = 10
"""Of the video files that cannot be used, as many are named; `--check` names all."""
INTERRUPTED = 130


class Precision(StrEnum):
    """Mixed precision of a training."""

    NO = "no"
    BF16 = "bf16"
    FP16 = "fp16"


def train(
    part: Annotated[
        str, typer.Argument(help="A part of the preset: a stage, or what else its recipes name; or all.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the runs; a run there is continued.",
            show_default="needed, but for --check",
        ),
    ] = None,
    preset: PresetName = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON of video files and captions; else the preset's own clips.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    video_column: Annotated[str, typer.Option(help="Column, or key, of the video files.")] = "video",
    caption_column: Annotated[str, typer.Option(help="Column, or key, of the captions.")] = "caption",
    check: Annotated[
        bool, typer.Option("--check", help="Say what of --data would be used, and stop.")
    ] = False,
    stride: Annotated[
        int, typer.Option(min=1, help="Keep every n-th frame of video files, at the last stage's rate.")
    ] = 1,
    fps: FramesPerSecond = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the checkpoints to start from; trained ones take their place there.",
            file_okay=False,
            show_default="OUTPUT/checkpoints",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**23 - 1, help="Fixes the whole run.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many more steps.")] = None,
    precision: Annotated[Precision, typer.Option(help="Mixed precision.")] = Precision.NO,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare clips ahead.")] = 0,
    save_every: Annotated[int, typer.Option(min=1, help="Save the state every n steps.")] = 500,
    sample_every: Annotated[int, typer.Option(min=1, help="Draw a sample sheet every n steps.")] = 500,
) -> None:
    """Train by the preset's recipes; a run in the output folder is continued. In several processes: torchrun."""
    cascade, columns = preset_or_first(preset).name, Columns(video_column, caption_column)
    if output is None and not check:
        raise typer.BadParameter("name the folder of the runs", param_hint="--output")
    if check and data is None:
        raise typer.BadParameter("name a list with --data", param_hint="--check")
    output = output or Path()
    try:
        parts = trainable_parts(cascade)
        if part != "all":
            recipe_of(cascade, part)
            parts = (part,)
        if data is not None:
            read_listing(data, columns)
        if not check:
            check_folder(output)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    # What is plainly wrong is refused before torch is imported, which takes a while.
    from cascade.models.train import TrainingRun
    from cascade.models.training.loop import training_processes
    from cascade.models.training.progress import Rhythm

    run = TrainingRun(
        preset=cascade,
        output=output,
        checkpoints=checkpoints or output / "checkpoints",
        data=data,
        stride=stride,
        seed=seed,
        precision=precision.value,  # a plain text, as it goes into the saved state
        workers=workers,
        rhythm=Rhythm(save_every, sample_every),
        fps=fps,
        columns=columns,
    )
    is_first = check or training_processes().is_main_process
    console.quiet = not is_first
    try:
        for name in parts:
            if is_first and (videos := run.check_videos(name)) is not None:
                _report(name, videos, None if check else MAX_NAMES)
            if not check and not _train_part(run, name, steps):
                return  # the parts behind it start from what it becomes
    except (ModelError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def _train_part(run: TrainingRun, part: str, steps: int | None) -> bool:
    """Train a part; return whether it is at the end of its recipe."""
    from cascade.models.training.stopping import TrainingStopped

    folder = run.output / part
    try:
        with training_bar(console) as bar:
            task = bar.add_task(part, total=None, loss=float("nan"), rate=0.0)
            outcome = run.train(part, lambda progress: show_step(bar, task, progress), steps)
    except TrainingStopped as stopped:
        console.print(f"{part}: {stopped}; the same command goes on from there", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from stopped
    if outcome.skipped:
        console.print(f"{part}: {len(outcome.skipped)} video files could not be used on the way")
    console.print(
        f"{part}: {'trained' if outcome.finished else 'to be continued'}, in {folder}", soft_wrap=True
    )
    return outcome.finished


def show_step(bar: ProgressBar, task: TaskID, progress: Progress) -> None:
    """Draw how far a training is."""
    bar.update(
        task,
        total=progress.steps,
        completed=progress.step,
        loss=progress.loss,
        rate=progress.clips_per_s,
    )


def _report(part: str, videos: ListCheck, max_names: int | None) -> None:
    """Say which videos of a list can be used for a part, and why others cannot."""
    console.print(
        f"{part}: {len(videos.usable)} of {len(videos.usable) + len(videos.unusable)} videos can be used, with "
        f"{videos.captions} captions",
        highlight=False,
        soft_wrap=True,
    )
    if not videos.unusable:
        return
    console.print(f"{part}: {len(videos.unusable)} video files could not be used", highlight=False)
    for path in sorted(videos.unusable)[:max_names]:
        line = f"  {path}: {videos.unusable[path]}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if max_names is not None and len(videos.unusable) > max_names:
        console.print(f"  and {len(videos.unusable) - max_names} more; --check names all", highlight=False)
