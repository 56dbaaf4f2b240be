"""Videos as lines of a terminal: a list that fits its width, how one ended, and what of a prompt is not shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from rich.table import Table
from rich.text import Text

from cascade.service.api.schemas.videos import Video, VideoStatus
from cascade.service.cli.progress import duration


def video_table(videos: Sequence[Video], now: float) -> Table:
    """Make a list whose ids are whole, so that they can be copied; the prompt takes the rest of the width.

    Args:
        now: Unix seconds.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("id", "status", "age"):
        table.add_column(title, no_wrap=True)
    table.add_column("prompt")  # of these, the only one that may shrink
    for video in videos:
        prompt = Text(" ".join(video.prompt.split()), no_wrap=True, overflow="ellipsis")
        table.add_row(video.id, _status(video), duration(now - video.created_at), prompt)
    return table


def outcome(video: Video) -> str:
    """Say how a video stands, why it failed, and where it is."""
    line = f"{video.id} {video.status}"
    if video.error is not None:
        line += f": {video.error.message}"
    return f"{line}\n{video.url}" if video.url else line


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what of a prompt will not be shown, on stderr: what reads the command's output sees none of it."""
    for warning in warnings:
        typer.secho(warning, err=True, fg=typer.colors.YELLOW)


def _status(video: Video) -> str:
    return f"{video.progress} %" if video.status is VideoStatus.IN_PROGRESS else video.status.value
