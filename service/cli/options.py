"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer

from cascade.models.errors import InvalidParameter
from cascade.models.presets.spec import MAX_SEED, Preset
from cascade.models.presets.table import PRESETS, get_preset
from cascade.workers.settings import get_settings

Number = TypeVar("Number", int, float)

PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset", help=f"One of {', '.join(PRESETS)}.", show_default="the first of CASCADE_PRESETS"
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="Fixes every frame.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the last stage.")]
NegativePrompt = Annotated[str | None, typer.Option(help="What the video should not show.")]
Steps = Annotated[list[str] | None, typer.Option(help="Denoising steps, as STAGE=N.")]
GuidanceScale = Annotated[list[str] | None, typer.Option(help="Guidance scale, as STAGE=W.")]


def preset_or_first(name: str | None) -> Preset:
    """Find the preset called `name`, or the deployment's first.

    Raises:
        typer.BadParameter: there is no such preset.
    """
    try:
        return get_preset(name or get_settings().presets[0])
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
