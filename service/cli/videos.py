"""`cascade submit, watch, get, list, cancel, download`: a running gateway's videos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cascade.service.api.schemas.videos import Variant, Video, VideoStatus
from cascade.service.cli.options import (
    GuidanceScale,
    NegativePrompt,
    Seed,
    Size,
    Steps,
    parse_stage_options,
)
from cascade.service.cli.progress import show_progress
from cascade.service.client import DEFAULT_URL, Client, ClientError

Url = Annotated[str, typer.Option("--url", envvar="CASCADE_URL", help="Where the gateway is.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="CASCADE_API_KEY", help="API key.")]


def _check_id(video_id: str) -> str:
    """Refuse what is no id: it becomes part of paths and of the name of a file."""
    if ID.fullmatch(video_id) is None:
        raise typer.BadParameter(f'"{video_id}" is no id of a video')
    return video_id


ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
VideoId = Annotated[str, typer.Argument(metavar="VIDEO", help="Id of the video.", callback=_check_id)]
console = Console()


def submit(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    model: Annotated[str | None, typer.Option(help="Preset; the gateway's first unless given.")] = None,
    seed: Seed = None,
    size: Size = None,
    negative_prompt: NegativePrompt = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    stop_after: Annotated[str | None, typer.Option(help="Make a draft of this stage.")] = None,
    best_of: Annotated[
        int | None, typer.Option(min=1, help="Make this many drafts, go on with the best.")
    ] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Gets a POST when the video has ended.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Queue a video and print its id."""
    with _client(url, api_key) as client:
        video = client.submit(
            prompt,
            model=model,
            seed=seed,
            size=size,
            negative_prompt=negative_prompt,
            steps=parse_stage_options(steps, int),
            guidance_scale=parse_stage_options(guidance_scale, float),
            stop_after=stop_after,
            best_of=best_of,
            webhook_url=webhook_url,
        )
    for warning in video.warnings:
        typer.echo(warning, err=True)
    typer.echo(video.id)


def watch(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Show a bar per stage until the video has ended; exit 1 unless it is completed."""
    with _client(url, api_key) as client:
        video = show_progress(client.watch(video_id))
    console.print(_summary(video), highlight=False, markup=False, soft_wrap=True)
    if video.status is not VideoStatus.COMPLETED:
        raise typer.Exit(1)


def get(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Print a video's whole record as JSON."""
    with _client(url, api_key) as client:
        typer.echo(client.get(video_id).model_dump_json(indent=2))


def list_videos(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List the newest videos."""
    with _client(url, api_key) as client:
        videos = client.list(limit).data
    table = Table("id", "status", "%", "created", "prompt")
    for column in table.columns[:4]:
        column.no_wrap = True
    for video in videos:
        created = datetime.fromtimestamp(video.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(video.id, video.status, str(video.progress), created, video.prompt)
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
    stage: Annotated[str | None, typer.Option(help="A stage's clip instead of the last.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Download a file of a video."""
    with _client(url, api_key) as client:
        target = output or Path(f"{video_id}.{variant.ending}")
        typer.echo(client.download(video_id, target, variant, stage))


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    panel = "A running gateway"
    for command in (submit, watch, get, cancel, download):
        app.command(rich_help_panel=panel)(command)
    app.command("list", rich_help_panel=panel)(list_videos)


@contextmanager
def _client(url: str, api_key: str | None) -> Iterator[Client]:
    """Open a client whose errors are printed, with exit code 1."""
    try:
        with Client(url, api_key) as client:
            yield client
    except ClientError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _summary(video: Video) -> str:
    line = f"{video.id} {video.status}"
    if video.error is not None:
        line += f": {video.error.message}"
    return f"{line}\n{video.url}" if video.url else line
