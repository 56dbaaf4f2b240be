"""`cascade submit`, `watch`, `list` and the others: a running gateway's videos."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cascade.service.api.schemas.videos import Variant, Video, VideoStatus
from cascade.service.cli.options import (
    GuidanceScale,
    NegativePrompt,
    Seed,
    Size,
    Steps,
    complete_preset,
    parse_stage_options,
)
from cascade.service.cli.program import own_command
from cascade.service.cli.progress import show_progress
from cascade.service.cli.video_lines import outcome, print_warnings, video_table
from cascade.service.client import DEFAULT_URL, Client, ClientError

URL_VARIABLE = "CASCADE_URL"
Url = Annotated[str, typer.Option("--url", envvar=URL_VARIABLE, help="Where the gateway is.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="CASCADE_API_KEY", help="API key.")]
StopAfter = Annotated[str | None, typer.Option(help="Make a draft of this stage.")]


def _check_id(video_id: str | None) -> str | None:
    """Refuse what is no id: it becomes part of paths and of the name of a file."""
    if video_id is not None and ID.fullmatch(video_id) is None:
        raise typer.BadParameter(f'"{video_id}" is no id of a video')
    return video_id


ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
VideoId = Annotated[str, typer.Argument(metavar="VIDEO", help="Id of the video.", callback=_check_id)]
console = Console()


def submit(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    model: Annotated[
        str | None,
        typer.Option(help="Preset; the gateway's first unless given.", autocompletion=complete_preset),
    ] = None,
    seed: Seed = None,
    size: Size = None,
    negative_prompt: NegativePrompt = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    stop_after: StopAfter = None,
    best_of: Annotated[
        int | None, typer.Option(min=1, help="Make this many drafts, go on with the best.")
    ] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Gets a POST when the video has ended.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Queue a video and print its id; on stderr, what of the prompt it will not show."""
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
    _print_new(video)


def watch(context: typer.Context, video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Show a bar per stage until the video has ended, and how to download it; exit 1 unless it is completed."""
    with _client(url, api_key) as client:
        video = show_progress(client.watch(video_id))
    _print(outcome(video))
    if video.status is not VideoStatus.COMPLETED:
        raise typer.Exit(1)
    typer.echo(f"{own_command()} download {video_id}{_url_option(context)}")


def get(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Print a video's whole record as JSON."""
    with _client(url, api_key) as client:
        typer.echo(client.get(video_id).model_dump_json(indent=2))


def list_videos(
    search: Annotated[
        str | None, typer.Option("--search", "-q", help="A part of the prompt, in any case.")
    ] = None,
    status: Annotated[list[VideoStatus] | None, typer.Option(help="Any of these.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of a preset.", autocompletion=complete_preset)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    after: Annotated[
        str | None, typer.Option(metavar="VIDEO", help="The last of the page before.", callback=_check_id)
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List the newest videos, or those that pass all filters."""
    with _client(url, api_key) as client:
        page = client.list(limit, after, q=search, status=status or (), model=model)
    console.print(video_table(page.data, time.time()), markup=False, highlight=False)
    if page.has_more:
        typer.echo(f"there are more: the same command with --after {page.last_id}", err=True)


def cancel(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Stop a video within one denoising step."""
    with _client(url, api_key) as client:
        _print(outcome(client.cancel(video_id)))


def delete(video_id: VideoId, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Delete a video and every file of it; a running one is stopped."""
    with _client(url, api_key) as client:
        typer.echo(f"{client.delete(video_id).id} deleted")


def continue_draft(
    video_id: VideoId,
    draft: Annotated[
        int | None, typer.Option(min=0, help="Index of the draft to go on with; the best one unless given.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Let a completed draft go on through the cascade, and print its id."""
    with _client(url, api_key) as client:
        typer.echo(client.continue_draft(video_id, draft).id)


def remix(
    video_id: VideoId,
    prompt: Annotated[str | None, typer.Option(help="The source's unless given.")] = None,
    from_stage: Annotated[
        str | None, typer.Option(help="The first stage to run again; all unless given.")
    ] = None,
    draft: Annotated[
        int | None, typer.Option(min=0, help="Start from this one of the source's drafts.")
    ] = None,
    seed: Seed = None,
    size: Size = None,
    negative_prompt: NegativePrompt = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    stop_after: StopAfter = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Queue a new video from another one, with changes, and print its id; clips before --from-stage are reused."""
    with _client(url, api_key) as client:
        video = client.remix(
            video_id,
            prompt=prompt,
            from_stage=from_stage,
            draft=draft,
            seed=seed,
            size=size,
            negative_prompt=negative_prompt,
            steps=parse_stage_options(steps, int),
            guidance_scale=parse_stage_options(guidance_scale, float),
            stop_after=stop_after,
        )
    _print_new(video)


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
    commands: dict[str, Callable[..., None]] = {
        "submit": submit,
        "watch": watch,
        "get": get,
        "list": list_videos,
        "continue": continue_draft,
        "remix": remix,
        "cancel": cancel,
        "delete": delete,
        "download": download,
    }
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)


@contextmanager
def _client(url: str, api_key: str | None) -> Iterator[Client]:
    """Open a client whose errors are printed, with exit code 1."""
    try:
        with Client(url, api_key) as client:
            yield client
    except ClientError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _print(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_new(video: Video) -> None:
    print_warnings(video.warnings)
    typer.echo(video.id)


def _url_option(context: typer.Context) -> str:
    """Return the option that leads a further command to the same gateway, if this one was given it."""
    source = context.get_parameter_source("url")
    given = source is not None and source.name == "COMMANDLINE"
    return f" --url {shlex.quote(context.params['url'])}" if given else ""
