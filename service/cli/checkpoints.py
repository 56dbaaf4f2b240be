"""`cascade checkpoints`: list, verify, pull and convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.models.errors import CheckpointError
from cascade.models.presets.table import PRESETS
from cascade.service.cli.options import known_presets, preset_or_first
from cascade.workers.settings import get_settings

app = typer.Typer(help="What the presets need, and how to get it.", no_args_is_help=True)
console = Console()

Presets = Annotated[
    list[str] | None, typer.Argument(help=f"Of {', '.join(PRESETS)}.", callback=known_presets)
]


@app.command("list")
def list_checkpoints(presets: Presets = None) -> None:
    """List what each preset (all unless given) needs, and where it is on this machine."""
    from cascade.models.checkpoints.files import locate
    from cascade.models.checkpoints.requirements import requirements

    table = Table("preset", "checkpoint", "parts", "present")
    folder = get_settings().checkpoints_dir
    for name in presets or PRESETS:
        for requirement in requirements(preset_or_first(name)):
            place = locate(folder, requirement.name)
            missing = "no (optional)" if requirement.optional else "no"
            parts = ", ".join(requirement.parts)
            table.add_row(name, requirement.name, parts, missing if place is None else str(place))
    console.print(table)


@app.command()
def verify(presets: Presets = None) -> None:
    """Check the names and sizes of tensors, and checksums; exit 1 if anything is wrong or missing."""
    from cascade.models.checkpoints.files import locate
    from cascade.models.checkpoints.files import verify as find_faults
    from cascade.models.checkpoints.requirements import requirements

    failed = False
    folder = get_settings().checkpoints_dir
    for name in presets or get_settings().presets:
        for requirement in requirements(preset_or_first(name)):
            place = locate(folder, requirement.name)
            faults = ["is not on this machine"] if place is None else find_faults(place, requirement)
            for line in faults or ["right"]:
                console.print(f"{requirement.name}: {line}", markup=False, highlight=False, soft_wrap=True)
            failed = failed or (bool(faults) and not (requirement.optional and place is None))
    raise typer.Exit(1 if failed else 0)


@app.command()
def pull(presets: Presets = None) -> None:
    """Download what a preset needs from the hub, and nothing else of its repositories; exit 1 if something is missing.

    Of every network one precision is taken: full where there is one. A connection that breaks
    is taken up inside the file; after the command itself was stopped, files that are whole are kept and the one that
    was cut off begins again. A checkpoint that the preset can do without is passed over if it cannot be had.
    """
    from cascade.models.checkpoints.loading import Checkpoints
    from cascade.models.checkpoints.parts import find_part, part_title
    from cascade.models.checkpoints.requirements import requirements

    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    failed = False
    for name in presets or get_settings().presets:
        for requirement in requirements(preset_or_first(name)):
            parts = None if requirement.pipeline else requirement.parts
            try:
                path = checkpoints.path(requirement.name, parts)
                lacking = [
                    part_title(part) for part in requirement.parts if not find_part(path, part).exists()
                ]
                if lacking:
                    raise CheckpointError(f"{path} has no {', '.join(lacking)}")  # noqa: TRY301
            except CheckpointError as error:
                style, note = ("yellow", " (optional; going on)") if requirement.optional else ("red", "")
                console.print(f"{error}{note}", style=style, markup=False, highlight=False, soft_wrap=True)
                failed = failed or not requirement.optional
            else:
                console.print(f"{requirement.name}: {path}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


@app.command()
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Image or video checkpoint: a folder in the diffusers layout, or Stable Diffusion 1 or 2 in one file."
        ),
    ],
    target: Annotated[Path, typer.Argument(help="Folder to write.")],
    in_channels: Annotated[
        int | None,
        typer.Option(
            min=1, help="Input channels of the UNet, where the stage needs more than the image model."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Make a checkpoint of this preset's family; else of the first that can.",
            callback=known_presets,
        ),
    ] = None,
) -> None:
    """Turn an image checkpoint into a video one that starts out as the image model."""
    from cascade.models.checkpoints.conversion import convert as convert_checkpoint

    try:
        conversion = convert_checkpoint(source, target, in_channels, preset)
    except CheckpointError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    for title, names in (
        ("matched", conversion.matched),
        ("new", conversion.new),
        ("left behind", conversion.left),
    ):
        console.print(f"{title}: {len(names)} tensors", highlight=False)
    for name in conversion.left:
        console.print(f"  left behind: {name}", markup=False, highlight=False, soft_wrap=True)
