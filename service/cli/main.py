"""The `cascade` command line. Torch is imported only inside the commands that need it."""

from __future__ import annotations

import typer
from rich.console import Console

from cascade.service.cli import checkpoints, doctor, keys, motions, stack, videos
from cascade.service.cli.errors import CommandLine
from cascade.service.cli.evaluate import evaluate
from cascade.service.cli.generate import generate
from cascade.service.cli.plan import plan
from cascade.service.cli.settings_table import settings_table
from cascade.service.cli.train import train

app = typer.Typer(
    cls=CommandLine,
    help="Text-to-video generation by a cascade of diffusion stages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(generate)
stack.add_commands(app)
doctor.add_commands(app)
videos.add_commands(app)
app.command()(train)
app.command()(evaluate)
app.command()(plan)
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(keys.app, name="keys")
app.add_typer(motions.app, name="motions")


@app.command()
def settings() -> None:
    """Print every setting with its default, as Markdown."""
    Console().print(settings_table(), markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
