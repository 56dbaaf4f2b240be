"""`cascade motions`: how things move, learned from one video, for requests to name."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cascade.models.errors import ModelError
from cascade.models.presets.table import PRESETS, InvalidParameter
from cascade.service.cli.train import training_bar
from cascade.workers.redis_client import connect_redis
from cascade.workers.settings import get_settings
from cascade.workers.storage.motions import Motions
from cascade.workers.storage.object_store import ObjectStore

app = typer.Typer(
    help="Motions of the deployment that CASCADE_REDIS_URL and CASCADE_S3_ENDPOINT_URL lead to.",
    no_args_is_help=True,
)
console = Console()
Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")]
Preset = Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")]


@app.command()
def train(
    video: Annotated[Path, typer.Argument(help="A video that shows the motion.", exists=True)],
    caption: Annotated[
        str, typer.Option(help="What the video shows, but not how it moves: that is for the adapter.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Safetensors file to write.")],
    preset: Preset = "shapes",
    stride: Annotated[int, typer.Option(min=1, help="Take every so many frames.")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
) -> None:
    """Fine-tune the temporal attention of keyframes on one video (Show-1, section 3.7)."""
    from cascade.models.train import motion_from_video

    output.parent.mkdir(parents=True, exist_ok=True)
    with training_bar() as bar, tempfile.TemporaryDirectory() as scratch:
        task = bar.add_task("motion", total=None, loss=float("nan"), rate=0.0)

        def report(progress: Any) -> None:
            seen = {"loss": progress.loss, "rate": progress.clips_per_s}
            bar.update(task, total=progress.steps, completed=progress.step, **seen)

        try:
            content = motion_from_video(video, caption, preset, stride, Path(scratch), report, steps)
        except (ModelError, InvalidParameter, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
    output.write_bytes(content)
    console.print(f"{output}: {len(content) / 2**20:.1f} MiB", highlight=False)


@app.command()
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Made by `cascade motions train`.", exists=True)],
    preset: Preset = "shapes",
) -> None:
    """Let requests name a motion."""
    from cascade.models.families.show1.motion import unpack_motion

    content = file.read_bytes()
    try:
        unpack_motion(content)
        motion = _motions().add(preset, name, content)
    except (ModelError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"motion {motion.name} of preset {motion.preset}", highlight=False)


@app.command("list")
def list_motions() -> None:
    """All motions."""
    table = Table("preset", "name", "added")
    for motion in _motions().list():
        added = datetime.fromtimestamp(motion.added_at, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(motion.preset, motion.name, added)
    console.print(table)


@app.command()
def remove(name: Name, preset: Preset = "shapes") -> None:
    """Requests can name it no more."""
    if not _motions().remove(preset, name):
        console.print(f"preset {preset} has no motion {name}", style="red")
        raise typer.Exit(1)
    console.print(f"motion {name} is removed")


def _motions() -> Motions:
    settings = get_settings()
    objects = ObjectStore(settings)
    objects.ensure_bucket()
    return Motions(connect_redis(settings), objects)
