"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer

from cascade.models.errors import InvalidParameter
from cascade.models.presets.spec import MAX_SEED, Preset
from cascade.models.presets.table import PRESETS, get_preset
from cascade.workers.settings import get_settings

Number = TypeVar("Number", int, float)


def known_presets(names: str | list[str] | None) -> str | list[str] | None:
    """Check the names that an option or argument was given, before anything else is done."""
    for name in [names] if isinstance(names, str) else names or ():
        preset_or_first(name)
    return names


def known_queues(queues: list[str]) -> list[str]:
    """Check the names that an argument was given, before anything else is done."""
    known = [queue for preset in PRESETS.values() for queue in preset.queues]
    for queue in queues:
        if queue not in known:
            raise typer.BadParameter(f'there is no queue "{queue}"; choose from {", ".join(known)}')
    return queues


def complete_preset(incomplete: str) -> list[str]:
    """Offer the names of presets to a shell that completes one."""
    return [name for name in PRESETS if name.startswith(incomplete)]


PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help=f"One of {', '.join(PRESETS)}.",
        show_default="the first of CASCADE_PRESETS",
        callback=known_presets,
        autocompletion=complete_preset,
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Fixes every frame.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the last stage.")]
NegativePrompt = Annotated[str | None, typer.Option(help="What the video should not show.")]
Steps = Annotated[list[str] | None, typer.Option(help="Denoising steps, as STAGE=N.")]


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number of frames")
    return value


FramesPerSecond = Annotated[
    float | None,
    typer.Option(
        "--fps",
        min=0.01,
        callback=_finite,
        help="Frames a second to take of video files, by their own time, where --stride would take every n-th.",
    ),
]
GuidanceScale = Annotated[list[str] | None, typer.Option(help="Guidance scale, as STAGE=W.")]


def preset_or_first(name: str | None) -> Preset:
    """Find the preset called `name`, or the deployment's first.

    Raises:
        typer.BadParameter: there is no such preset.
    """
    try:
        return get_preset(get_settings().presets[0] if name is None else name)
    except InvalidParameter as error:
        raise typer.BadParameter(str(error)) from error


def parse_stage_options(values: Iterable[str] | None, number: Callable[[str], Number]) -> dict[str, Number]:
    """Read `STAGE=NUMBER` options into numbers by stage.

    Raises:
        typer.BadParameter: a value has no `=`, or no number behind it.
    """
    numbers = {}
    for value in values or ():
        stage, _, text = value.partition("=")
        try:
            numbers[stage] = number(text)
        except ValueError as error:
            raise typer.BadParameter(f'"{value}" is not STAGE=NUMBER, such as STAGE=10') from error
    return numbers
