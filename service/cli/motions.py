"""`cascade motions`: how things move, learned from one video, for requests to name."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.models.errors import ModelError, VideoFileError
from cascade.models.families.registry import family_of
from cascade.models.output_files import check_file, write_whole
from cascade.models.training.parts import motion_stage
from cascade.service.cli.options import FramesPerSecond, PresetName, preset_or_first
from cascade.service.cli.progress import training_bar
from cascade.service.cli.train import show_step
from cascade.service.stack.running import settings_of_stack
from cascade.workers.servers import Servers
from cascade.workers.settings import get_settings
from cascade.workers.storage.motions import Motions, check_name

app = typer.Typer(
    help="Motions of the deployment that CASCADE_REDIS_URL and CASCADE_S3_ENDPOINT_URL lead to; unless they are set, of "
    "the `cascade up` whose data folder is here.",
    no_args_is_help=True,
)
console = Console()
Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")]


@app.command()
def train(
    video: Annotated[
        Path, typer.Argument(help="A video that shows the motion.", exists=True, dir_okay=False)
    ],
    caption: Annotated[
        str, typer.Option(help="What the video shows, but not how it moves: that is for the adapter.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Safetensors file to write.")],
    preset: PresetName = None,
    stride: Annotated[int, typer.Option(min=1, help="Keep every n-th frame.")] = 1,
    fps: FramesPerSecond = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
) -> None:
    """Fine-tune the temporal attention of a preset's first stage on one video."""
    name = preset_or_first(preset).name
    try:
        frames = motion_stage(name).frames
        check_file(output)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    # Imported here, as av is; what is plainly wrong is refused before torch is imported, which takes a while.
    from cascade.models.training.video_frames import Sampling, check_video

    try:
        check_video(video, Sampling(frames, stride, fps))
    except VideoFileError as error:
        raise typer.BadParameter(f"{video} {error}") from error
    from cascade.models.train import train_motion_from_video
    from cascade.models.training.stopping import TrainingStopped

    with training_bar(console) as bar, tempfile.TemporaryDirectory() as scratch:
        task = bar.add_task("motion", total=None, loss=float("nan"), rate=0.0)

        try:
            content = train_motion_from_video(
                video,
                caption,
                name,
                stride,
                get_settings().checkpoints_dir,
                Path(scratch),
                lambda progress: show_step(bar, task, progress),
                steps,
                fps,
            )
        except TrainingStopped as stopped:
            console.print(f"stopped; {output} is not written")
            raise typer.Exit(130) from stopped
        except (ModelError, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
    write_whole(output, content)
    console.print(f"{output}: {len(content) / 2**20:.1f} MiB", highlight=False)


@app.command()
def add(
    name: Name,
    file: Annotated[
        Path, typer.Argument(help="Written by `cascade motions train`.", exists=True, dir_okay=False)
    ],
    preset: PresetName = None,
) -> None:
    """Let requests name a motion."""
    cascade = preset_or_first(preset)
    family = family_of(cascade.name)
    content = file.read_bytes()
    try:
        motion_stage(cascade.name)
        check_name(name)
        if family.unpack_motion is not None:
            family.part(family.unpack_motion)(content)
        motion = _motions().add(cascade.name, name, content)
    except (ModelError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"motion {motion.name} of preset {motion.preset}", highlight=False)


@app.command("list")
def list_motions() -> None:
    """List all motions."""
    table = Table("preset", "name", "added")
    for motion in _motions().list():
        added = datetime.fromtimestamp(motion.added_at, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(motion.preset, motion.name, added)
    console.print(table)


@app.command()
def remove(name: Name, preset: PresetName = None) -> None:
    """Remove a motion; requests can no longer name it."""
    cascade = preset_or_first(preset).name
    if not _motions().remove(cascade, name):
        console.print(f"preset {cascade} has no motion {name}", style="red", markup=False)
        raise typer.Exit(1)
    console.print(f"motion {name} is removed")


def _motions() -> Motions:
    servers = Servers.connect(settings_of_stack(get_settings()))
    servers.objects.ensure_bucket()
    return Motions.of(servers)
