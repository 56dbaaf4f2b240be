"""`cascade evaluate`: measure a preset's cascade, and compare two reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cascade.models.errors import ModelError
from cascade.models.evaluation.part import Part
from cascade.models.evaluation.suites import REPORT, available_suites
from cascade.models.output_files import check_folder
from cascade.models.training.listing import read_listing
from cascade.service.cli.options import PresetName, preset_or_first
from cascade.service.cli.progress import evaluation_bar
from cascade.workers.settings import get_settings

console = Console()
SUITES = available_suites()


def evaluate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the report; a run there is continued.")
    ],
    preset: PresetName = None,
    suite: Annotated[
        str, typer.Option(help=" ".join(f"{name}: {entry.description}" for name, entry in SUITES.items()))
    ] = "quick",
    data: Annotated[
        Path | None,
        typer.Option(
            help="CSV or JSON of videos and captions, for suites that need one.", exists=True, dir_okay=False
        ),
    ] = None,
    networks: Annotated[
        Path | None,
        typer.Option(
            help="Folder with any of i3d.pt, inception.pt, vgg16.pt, clip/; else small networks.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(help="Make only this part of the samples, such as 1/2: processes share a folder.")
    ] = "1/1",
    until: Annotated[str | None, typer.Option(help="Name of the last stage to run.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another report: print both side by side.")
    ] = None,
) -> None:
    """Measure alignment and fidelity of every stage; writes report.json, report.md and report.html."""
    if suite not in SUITES:
        raise typer.BadParameter(f'there is no suite "{suite}"; choose one of {", ".join(SUITES)}')
    if against is not None and not (against / REPORT).is_file():
        raise typer.BadParameter(f"{against} holds no {REPORT}", param_hint="--against")
    if SUITES[suite].listed and data is None:
        raise typer.BadParameter(
            f'suite "{suite}" takes its captions from a list of videos: give one with --data'
        )
    chosen, settings = preset_or_first(preset), get_settings()
    cascade = chosen.name
    if until is not None and until not in chosen.stage_names:
        raise typer.BadParameter(
            f'{cascade} has no stage "{until}"; choose one of {", ".join(chosen.stage_names)}',
            param_hint="--until",
        )
    stages = None if until is None else chosen.stage_names.index(until) + 1
    try:
        share = Part.read(part)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--part") from error
    try:
        if data is not None:
            read_listing(data)
        check_folder(output)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    # What is plainly wrong is refused before torch is imported, which takes a while.
    from cascade.models.evaluate import run_suite
    from cascade.models.evaluation.report import compare, write_report
    from cascade.models.runtime.execution import Execution

    with evaluation_bar() as bar:
        task = bar.add_task(suite, total=None)
        try:
            records = run_suite(
                cascade,
                suite,
                output,
                settings.checkpoints_dir,
                Execution(device=settings.device, dtype=settings.dtype),
                lambda k, n: bar.update(task, completed=k, total=n),
                data,
                networks,
                share,
                stages,
            )
        except (ModelError, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
    for file in write_report(output, f"{cascade}, suite {suite}", SUITES[suite].description, records):
        console.print(file)
    if against is not None:
        try:
            console.print(compare(output, against), markup=False, soft_wrap=True)
        except (ModelError, ValueError) as error:
            raise typer.BadParameter(str(error), param_hint="--against") from error
