"""`cascade keys`: API keys of a deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.access.authentication import DEFAULT_PROJECT
from cascade.service.stack.running import settings_of_stack
from cascade.workers.redis_client import connect_redis
from cascade.workers.settings import get_settings

DAY_S = 86_400

app = typer.Typer(
    help="API keys of the deployment that CASCADE_REDIS_URL leads to; unless it is set, of the `cascade up` whose data "
    "folder is here.",
    no_args_is_help=True,
)
console = Console()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Annotated[str, typer.Option(help="Only keys of this project see its videos.")] = DEFAULT_PROJECT,
    scope: Annotated[list[Scope], typer.Option(help="What it allows.")] = [Scope.GENERATE, Scope.READ],  # noqa: B006
    expires_in_days: Annotated[
        float | None, typer.Option(min=0.001, max=36500, help="When it ends by itself; never unless given.")
    ] = None,
) -> None:
    """Create a key and print it: it cannot be shown again."""
    valid_for_s = None if expires_in_days is None else expires_in_days * DAY_S
    key, token = _keys().create(name, project, tuple(scope), valid_for_s)
    until = "" if key.expires_at is None else f", until {_date(key.expires_at)}"
    console.print(
        f"key {key.id} of project {project}: {', '.join(scope)}{until}", highlight=False, markup=False
    )
    typer.echo(token)


@app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    keys = _keys()
    uses, now = keys.last_uses(), keys.now()
    table = Table("id", "name", "project", "scopes", "created", "expires", "last used")
    for key in keys.list():
        expires = "never" if key.expires_at is None else _date(key.expires_at)
        table.add_row(
            key.id,
            key.name,
            key.project,
            ", ".join(key.scopes),
            _date(key.created_at),
            expires if key.is_valid(now) else f"expired {expires}",
            _date(uses[key.id]) if key.id in uses else "never",
        )
    console.print(table, markup=False)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")]) -> None:
    """End a key at once."""
    if not _keys().revoke(key_id):
        console.print(f"there is no key {key_id}", style="red", markup=False)
        raise typer.Exit(1)
    console.print(f"key {key_id} is revoked", markup=False)


def _keys() -> ApiKeys:
    return ApiKeys(connect_redis(settings_of_stack(get_settings(), redis_alone=True)))


def _date(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")
