"""`cascade checkpoints`: list, verify, pull and convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.models.presets.table import PRESETS, get_preset
from cascade.workers.settings import get_settings

app = typer.Typer(help="What the presets need, and how to get it.", no_args_is_help=True)
console = Console()

Presets = Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PRESETS)}; all unless given.")]


@app.command("list")
def list_checkpoints(presets: Presets = None) -> None:
    """What each preset needs, and where it is on this machine."""
    from cascade.models.checkpoints.files import locate, needed_by

    table = Table("preset", "checkpoint", "parts", "present")
    folder = get_settings().checkpoints_dir
    for name in presets or PRESETS:
        for needed in needed_by(get_preset(name)):
            place = locate(folder, needed.name)
            missing = "no (optional)" if needed.optional else "no"
            table.add_row(
                name, needed.name, ", ".join(needed.parts), missing if place is None else str(place)
            )
    console.print(table)


@app.command()
def verify(presets: Presets = None) -> None:
    """Check names, shapes and checksums of what is present; exits with 1 if anything is wrong or missing."""
    from cascade.models.checkpoints.files import locate, needed_by
    from cascade.models.checkpoints.files import verify as faults_of

    wrong = False
    folder = get_settings().checkpoints_dir
    for name in presets or get_settings().presets:
        for needed in needed_by(get_preset(name)):
            place = locate(folder, needed.name)
            faults = ["is not on this machine"] if place is None else faults_of(place, needed)
            for fault in faults:
                console.print(f"{needed.name}: {fault}", markup=False, highlight=False)
            if not faults:
                console.print(f"{needed.name}: right", markup=False, highlight=False)
            wrong = wrong or (bool(faults) and not (needed.optional and place is None))
    raise typer.Exit(1 if wrong else 0)


@app.command()
def pull(presets: Presets = None) -> None:
    """Download what a preset needs from the hub; goes on where it was cut off."""
    from cascade.models.checkpoints.files import needed_by
    from cascade.models.checkpoints.loading import Checkpoints
    from cascade.models.errors import CheckpointError

    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    for name in presets or get_settings().presets:
        for needed in needed_by(get_preset(name)):
            try:
                path = checkpoints.path(needed.name)
            except CheckpointError as error:
                console.print(str(error), style="red", markup=False)
                raise typer.Exit(1) from error
            console.print(f"{needed.name}: {path}", markup=False, highlight=False)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Folder of an image or video checkpoint.")],
    target: Annotated[Path, typer.Argument(help="Folder to write.")],
    in_channels: Annotated[
        int | None,
        typer.Option(help="Input channels of the UNet: 7 for interpolation, 6 for super-resolution."),
    ] = None,
) -> None:
    """Turn an image checkpoint into a video one that begins as the image model."""
    from cascade.models.errors import CheckpointError
    from cascade.models.families.show1.inflation import convert as convert_checkpoint

    try:
        conversion = convert_checkpoint(source, target, in_channels)
    except CheckpointError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from error
    for title, names in (
        ("matched", conversion.matched),
        ("new", conversion.new),
        ("left behind", conversion.left),
    ):
        console.print(f"{title}: {len(names)} tensors", highlight=False)
    for name in conversion.left:
        console.print(f"  left behind: {name}", markup=False, highlight=False)
