"""`cascade up`, `demo`, `gateway`, `worker` and `housekeeper`: the processes of a deployment, together or one by one."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cascade.models.presets.spec import MAX_SEED
from cascade.models.presets.table import get_preset
from cascade.service.cli.options import known_queues
from cascade.service.client import ClientError
from cascade.service.stack.demo import DemoFailed, make_video
from cascade.service.stack.embedded import MissingServer
from cascade.service.stack.stack import DataFolderRefused, Stack, StackRuns
from cascade.service.stack.supervisor import StartFailed
from cascade.workers.errors import UnknownQueue
from cascade.workers.settings import get_settings

console = Console()


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
    with _running_stack() as stack:
        console.print(f"\nready: {stack.url}   Ctrl-C stops all")
        while True:
            stack.supervisor.watch()
            time.sleep(0.5)


def demo(
    prompt: Annotated[
        str | None, typer.Argument(show_default="the first example of the first preset")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED)] = 1,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("demo"),
) -> None:
    """Start the stack, make one video over HTTP, download it with all its stages, and stop."""
    prompt = prompt or next(iter(get_preset(get_settings().presets[0]).example_prompts), "a calm sea")
    with _running_stack() as stack:
        console.print(f'\nPOST {stack.url}/v1/videos  "{prompt}"')
        try:
            files = make_video(stack.url, prompt, seed, output)
        except (DemoFailed, ClientError) as error:
            console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error
        for file in files:
            console.print(file)


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    panel = "A deployment"
    for command in (up, demo, gateway, worker, housekeeper):
        app.command(rich_help_panel=panel)(command)


@contextmanager
def _running_stack() -> Iterator[Stack]:
    """Start the stack, and stop it in order however the block ends."""
    stack = Stack(get_settings(), lambda line: console.print(line, markup=False, highlight=False))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack.start()
        yield stack
    except KeyboardInterrupt:
        console.print("stopping")
    except (StackRuns, DataFolderRefused, StartFailed, MissingServer) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    finally:
        stack.stop()
