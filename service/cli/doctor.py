"""`cascade doctor`: is everything here that Cascade needs, and if not, what to do."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cascade.service.doctor.finding import Finding, State
from cascade.service.doctor.report import examine

STYLES = {State.OK: "green", State.NOTE: "yellow", State.WRONG: "bold red"}
SUBJECT_WIDTH = 15

console = Console()


def doctor() -> None:
    """Check Python, packages, encoders, the device, weights, disks, the port, Redis, S3 and the clock; exit 1 if any is wrong."""
    num_wrong = 0
    for finding in examine():
        console.print(_line(finding))
        num_wrong += finding.state is State.WRONG
    if num_wrong:
        typer.echo(f"\n{num_wrong} {'thing is' if num_wrong == 1 else 'things are'} wrong")
        raise typer.Exit(1)
    typer.echo("\nnothing is wrong")


def add_commands(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(rich_help_panel="A deployment")(doctor)


def _line(finding: Finding) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=max(map(len, State)))
    line.add_column(width=SUBJECT_WIDTH)
    line.add_column(overflow="fold")
    line.add_row(Text(finding.state, STYLES[finding.state]), Text(finding.subject), Text(finding.text))
    if finding.remedy:
        line.add_row("", "", Text(f"→ {finding.remedy}", "bold"))
    return line
