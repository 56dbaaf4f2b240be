"""`cascade keys`: API keys of a deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.access.authentication import DEFAULT_PROJECT
from cascade.workers.redis_client import connect_redis
from cascade.workers.settings import get_settings

app = typer.Typer(help="API keys of the deployment that CASCADE_REDIS_URL leads to.", no_args_is_help=True)
console = Console()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Annotated[str, typer.Option(help="Only keys of this project see its videos.")] = DEFAULT_PROJECT,
    scope: Annotated[list[Scope], typer.Option(help="What it allows.")] = [Scope.GENERATE, Scope.READ],  # noqa: B006
) -> None:
    """Create a key and print it: it cannot be shown again."""
    key, token = _keys().create(name, project, tuple(scope))
    console.print(f"key {key.id} of project {project}: {', '.join(scope)}", highlight=False)
    typer.echo(token)


@app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    table = Table("id", "name", "project", "scopes", "created")
    for key in _keys().list():
        created = datetime.fromtimestamp(key.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(key.id, key.name, key.project, ", ".join(key.scopes), created)
    console.print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")]) -> None:
    """End a key at once."""
    if not _keys().revoke(key_id):
        console.print(f"there is no key {key_id}", style="red")
        raise typer.Exit(1)
    console.print(f"key {key_id} is revoked")


def _keys() -> ApiKeys:
    return ApiKeys(connect_redis(get_settings()))
