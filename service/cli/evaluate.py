"""`cascade evaluate`: measure a preset's cascade, and compare two reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cascade.models.errors import ModelError
from cascade.models.evaluation.suites import SUITES
from cascade.models.presets.table import PRESETS, InvalidParameter
from cascade.workers.settings import get_settings

console = Console()


def evaluate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the report; a run there goes on.")
    ],
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "shapes",
    suite: Annotated[
        str, typer.Option(help=" ".join(f"{name}: {entry.description}" for name, entry in SUITES.items()))
    ] = "quick",
    data: Annotated[
        Path | None,
        typer.Option(help="CSV or JSON lines of videos and captions, for ucf-101 and msr-vtt."),
    ] = None,
    networks: Annotated[
        Path | None,
        typer.Option(help="Folder with any of i3d.pt, inception.pt, vgg16.pt, clip/; else small networks."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another report: print both side by side.")
    ] = None,
) -> None:
    """Measure alignment and fidelity of every stage; writes report.json, report.md and report.html."""
    from cascade.models.evaluate import run_suite
    from cascade.models.evaluation.report import REPORT, compare, write_report

    if against is not None and not (against / REPORT).is_file():
        raise typer.BadParameter(f"{against} holds no {REPORT}", param_hint="--against")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(suite, total=None)
        try:
            records = run_suite(
                preset,
                suite,
                output,
                get_settings(),
                lambda k, n: bar.update(task, completed=k, total=n),
                data,
                networks,
            )
        except (ModelError, InvalidParameter, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
    for file in write_report(output, f"{preset}, suite {suite}", SUITES[suite].description, records):
        console.print(file)
    if against is not None:
        try:
            console.print(compare(output, against), markup=False, soft_wrap=True)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--against") from error
