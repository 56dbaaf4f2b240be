"""The `cascade` command line."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cascade.models.presets.table import MAX_SEED, PRESETS, InvalidParameter, StageKind, get_preset
from cascade.service.cli import checkpoints as cli_checkpoints
from cascade.service.cli import keys as cli_keys
from cascade.service.cli import motions as cli_motions
from cascade.service.cli import videos as cli_client
from cascade.service.cli.evaluate import evaluate
from cascade.service.cli.options import pairs
from cascade.service.cli.settings_table import settings_table
from cascade.service.cli.train import train
from cascade.service.client import Refused, progress_bars
from cascade.service.stack.demo import DemoFailed, download, make_video
from cascade.service.stack.stack import Stack, StackRuns
from cascade.service.stack.supervisor import StartFailed
from cascade.workers.settings import get_settings

app = typer.Typer(
    help="Text-to-video generation by a cascade of diffusion stages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_checkpoints.app, name="checkpoints")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_motions.app, name="motions")
cli_client.add_commands(app)
app.command()(train)
app.command()(evaluate)
console = Console()


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="MP4 to write.")] = Path("video.mp4"),
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "shapes",
    seed: Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Fixes every frame.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the last stage.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the video should not show.")] = None,
    steps: Annotated[list[str] | None, typer.Option(help="Denoising steps, as STAGE=N.")] = None,
    guidance_scale: Annotated[list[str] | None, typer.Option(help="Guidance scale, as STAGE=W.")] = None,
    keep_stages: Annotated[bool, typer.Option(help="Keep each stage's clip and contact sheet.")] = False,
) -> None:
    """Run the whole cascade in this process."""
    try:
        specs = get_preset(preset).resolve(
            size,
            {kind: int(value) for kind, value in pairs(steps or [])},
            {kind: float(value) for kind, value in pairs(guidance_scale or [])},
        )
    except (InvalidParameter, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    # Torch is imported by the commands that need it alone.
    from cascade.service.cli.local_generation import generate_files

    chosen = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
    with progress_bars() as bars:
        tasks = {spec.kind: bars.add_task(spec.kind, total=None, start=False) for spec in specs}

        def on_step(kind: StageKind, step: int, steps: int) -> None:
            bars.start_task(tasks[kind])
            bars.update(tasks[kind], completed=step, total=steps)

        files = generate_files(
            specs, prompt, chosen, negative_prompt, output, get_settings(), on_step, keep_stages=keep_stages
        )
    console.print(f"seed {chosen}")
    for file in files:
        console.print(file)


@app.command()
def worker(kind: Annotated[StageKind, typer.Argument(help="The stage to run.")]) -> None:
    """Run one stage's jobs from the queue."""
    from cascade.workers.worker import run_worker

    run_worker(kind, get_settings())


@app.command()
def housekeeper() -> None:
    """Deliver webhooks and delete what has expired."""
    from cascade.workers.housekeeper import run_housekeeper

    run_housekeeper(get_settings())


@app.command()
def gateway() -> None:
    """Serve the HTTP API."""
    from cascade.service.gateway import run_gateway

    run_gateway(get_settings())


@app.command()
def up() -> None:
    """Start the whole stack on this machine and keep it running until Ctrl-C."""
    with _running_stack() as stack:
        console.print(f"\nready: {stack.url}   Ctrl-C stops all")
        while True:
            stack.supervisor.watch()
            time.sleep(0.5)


@app.command()
def demo(
    prompt: Annotated[str, typer.Argument()] = "a red circle moving right on a gray background",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED)] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("demo"),
) -> None:
    """Start the stack, make one video over HTTP, download it, and stop."""
    with _running_stack() as stack:
        console.print(f'\nPOST {stack.url}/v1/videos  "{prompt}"')
        try:
            video = make_video(stack.url, prompt, seed)
        except (DemoFailed, Refused) as error:
            console.print(f"[red]{error}[/red]")
            raise typer.Exit(1) from error
        files = download(video, output)
    from cascade.service.cli.local_generation import write_contact_sheets

    for file in (*files, *write_contact_sheets(files)):
        console.print(file)


@app.command()
def settings() -> None:
    """Print every setting with its default, as in the README."""
    console.print(settings_table(), markup=False, soft_wrap=True)


@contextmanager
def _running_stack() -> Iterator[Stack]:
    """The stack, started; stopped in order however the block ends."""
    stack = Stack(get_settings(), lambda line: console.print(line, markup=False, highlight=False))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack.start()
        yield stack
    except KeyboardInterrupt:
        console.print("stopping")
    except (StackRuns, StartFailed) as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    finally:
        stack.stop()


if __name__ == "__main__":
    app()
