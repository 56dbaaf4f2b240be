"""`cascade submit, watch, get, list, cancel, download`: what one does with a running gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from cascade.models.presets.table import MAX_SEED, StageKind
from cascade.service.cli.options import pairs
from cascade.service.client import Client, Refused, show_progress

Url = Annotated[str, typer.Option("--url", envvar="CASCADE_URL", help="Where the gateway is.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="CASCADE_API_KEY", help="API key.")]
VideoId = Annotated[str, typer.Argument(metavar="VIDEO", help="Id of the video.")]
DEFAULT_URL = "http://127.0.0.1:8000"
console = Console()


class Variant(StrEnum):
    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"
    WEBP = "webp"
    SAFETENSORS = "safetensors"


ENDINGS = {Variant.VIDEO: "mp4", Variant.SPRITESHEET: "png", Variant.SAFETENSORS: "safetensors"}


def submit(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    model: Annotated[str | None, typer.Option(help="Preset; the gateway's first unless given.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Fixes every frame.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the last stage.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the video should not show.")] = None,
    steps: Annotated[list[str] | None, typer.Option(help="Denoising steps, as STAGE=N.")] = None,
    guidance_scale: Annotated[list[str] | None, typer.Option(help="Guidance scale, as STAGE=W.")] = None,
    stop_after: Annotated[StageKind | None, typer.Option(help="Make a draft of this stage.")] = None,
    best_of: Annotated[
        int | None, typer.Option(min=1, help="Make so many drafts, go on with the best.")
    ] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Told how the video ended.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Queue a video and print its id."""
    try:
        numbers = {
            "steps": {kind: int(value) for kind, value in pairs(steps or [])},
            "guidance_scale": {kind: float(value) for kind, value in pairs(guidance_scale or [])},
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with _client(url, api_key) as client:
        video = client.submit(
            prompt=prompt,
            model=model,
            seed=seed,
            size=size,
            negative_prompt=negative_prompt,
            stop_after=stop_after,
            best_of=best_of,
            webhook_url=webhook_url,
            **numbers,
        )
    typer.echo(video["id"])


def watch(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Show a bar per stage until the video has ended; exit 1 unless it is completed."""
    with _client(url, api_key) as client:
        video = show_progress(client.watch(video_id))
    console.print(_summary(video), highlight=False, markup=False, soft_wrap=True)
    if video["status"] != "completed":
        raise typer.Exit(1)


def get(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Print all that is known of a video, as JSON."""
    with _client(url, api_key) as client:
        typer.echo(json.dumps(client.get(video_id), indent=2))


def list_videos(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """The newest videos."""
    with _client(url, api_key) as client:
        videos = client.list(limit)
    table = Table("id", "status", "%", "created", "prompt")
    for column in table.columns[:4]:
        column.no_wrap = True
    for video in videos:
        created = datetime.fromtimestamp(video["created_at"], UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(video["id"], video["status"], str(video["progress"]), created, video["prompt"])
    console.print(table, markup=False, soft_wrap=True)


def cancel(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Stop a video within one denoising step."""
    with _client(url, api_key) as client:
        console.print(_summary(client.cancel(video_id)), highlight=False, markup=False)


def download(
    video_id: VideoId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; VIDEO.ENDING unless given.")
    ] = None,
    variant: Annotated[Variant, typer.Option(help="What to download.")] = Variant.VIDEO,
    stage: Annotated[StageKind | None, typer.Option(help="A stage's clip instead of the last.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write a file of a video."""
    with _client(url, api_key) as client:
        video = client.get(video_id)
        target = output or Path(f"{video['id']}.{ENDINGS.get(variant, 'webp')}")
        typer.echo(client.download(video, target, variant, stage))


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    panel = "A running gateway"
    for command in (submit, watch, get, cancel, download):
        app.command(rich_help_panel=panel)(command)
    app.command("list", rich_help_panel=panel)(list_videos)


@contextmanager
def _client(url: str, api_key: str | None) -> Iterator[Client]:
    """A client whose refusals are said in words, with exit code 1."""
    try:
        yield Client(url, api_key)
    except (Refused, httpx.HTTPError) as error:
        said = str(error) if isinstance(error, Refused) else f"{url} cannot be reached: {error}"
        console.print(said, style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error


def _summary(video: dict[str, Any]) -> str:
    said = f"{video['id']} {video['status']}"
    if video["error"]:
        said += f": {video['error']['message']}"
    return f"{said}\n{video['url']}" if video["url"] else said
