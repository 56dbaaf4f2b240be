"""`cascade up`, `demo`, `gateway`, `worker` and `housekeeper`: the processes of a deployment, together or one by one."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cascade.models.presets.spec import MAX_SEED
from cascade.service.cli.options import PresetName, known_queues, preset_or_first
from cascade.service.cli.terminal_picture import show_clip
from cascade.service.client import ClientError
from cascade.service.stack.demo import DemoFailed, make_video
from cascade.service.stack.embedded import MissingServer
from cascade.service.stack.next_steps import example_prompt, next_steps
from cascade.service.stack.stack import DataFolderRefused, Stack, StackRuns
from cascade.service.stack.supervisor import StartFailed
from cascade.workers.errors import UnknownQueue
from cascade.workers.settings import Settings, get_settings

console = Console()
PLAIN: Any = {"markup": False, "highlight": False, "soft_wrap": True}


def worker(
    queues: Annotated[
        list[str],
        typer.Argument(metavar="QUEUE...", help="PRESET.STAGE, one or several.", callback=known_queues),
    ],
) -> None:
    """Run the jobs of one or several queues, one job at a time."""
    # What is imported stays. Looking for garbage among it costs a fifth of the start, and seconds at the end.
    gc.disable()
    from cascade.workers.worker import run_worker

    gc.freeze()
    gc.enable()
    try:
        run_worker(tuple(queues), get_settings())
    except UnknownQueue as error:
        raise typer.BadParameter(str(error)) from error


def housekeeper() -> None:
    """Deliver webhooks and delete what has expired."""
    from cascade.workers.housekeeper import run_housekeeper

    run_housekeeper(get_settings())


def gateway() -> None:
    """Serve the HTTP API."""
    from cascade.service.gateway import run_gateway

    run_gateway(get_settings())


def up() -> None:
    """Start the whole stack on this machine and keep it running until Ctrl-C."""
    settings = get_settings()
    with _running_stack(settings) as stack:
        console.print(f"\nready; Ctrl-C stops all\n\n{next_steps(settings, stack.url)}", **PLAIN)
        while True:
            stack.supervisor.watch()
            time.sleep(0.5)


def demo(
    prompt: Annotated[
        str | None,
        typer.Argument(help="What the video shows.", show_default="the first example of the preset"),
    ] = None,
    preset: PresetName = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED)] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("demo"),
) -> None:
    """Start the stack, make one video over HTTP, download it with all its stages, show it, and stop."""
    cascade = preset_or_first(preset)
    prompt = prompt or example_prompt(cascade)
    with _running_stack(get_settings().model_copy(update={"presets": (cascade.name,)})) as stack:
        console.print(f'\nPOST {stack.url}/v1/videos  "{prompt}"', **PLAIN)
        try:
            files = make_video(stack.url, prompt, seed, output)
        except (DemoFailed, ClientError) as error:
            console.print(str(error), style="red", **PLAIN)
            raise typer.Exit(1) from error
        show_clip(files.moving_picture, console)
        for file in (*files.stages, files.moving_picture, files.sheet, files.video):
            console.print(str(file), **PLAIN)
        console.print(f"open {files.video.resolve().as_uri()} in a browser or a player", **PLAIN)


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    panel = "A deployment"
    for command in (up, demo, gateway, worker, housekeeper):
        app.command(rich_help_panel=panel)(command)


@contextmanager
def _running_stack(settings: Settings) -> Iterator[Stack]:
    """Start the stack, and stop it in order however the block ends."""
    stack = Stack(settings, lambda line: console.print(line, markup=False, highlight=False))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack.start()
        yield stack
    except KeyboardInterrupt:
        console.print("stopping")
    except (StackRuns, DataFolderRefused, StartFailed, MissingServer) as error:
        console.print(str(error), style="red", **PLAIN)
        raise typer.Exit(1) from error
    finally:
        stack.stop()
