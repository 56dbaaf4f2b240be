"""What a list of videos is asked for: a part of the prompt, statuses, and a model."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field

from cascade.models.presets.table import get_preset
from cascade.service.api.schemas.videos import VideoStatus
from cascade.workers.jobs.listing import JobFilter
from cascade.workers.jobs.record import JobStatus

MAX_TEXT = 200
NAMES = "|".join(VideoStatus)


def _check_statuses(value: str) -> str:
    for name in value.split(","):
        if name not in tuple(VideoStatus):
            raise ValueError(f'there is no status "{name}"; choose from {", ".join(VideoStatus)}')
    return value


Statuses = Annotated[
    str,
    AfterValidator(_check_statuses),
    Field(json_schema_extra={"pattern": f"^({NAMES})(,({NAMES}))*$"}),
]


async def video_filter(
    q: Annotated[
        str,
        Query(max_length=MAX_TEXT, description="A part of the prompt, in any case and with any white space."),
    ] = "",
    status: Annotated[
        list[Statuses], Query(description="Any of these; several times, or separated by commas.")
    ] = [],  # noqa: B006
    model: Annotated[str | None, Query(description="Name of a preset.")] = None,
) -> JobFilter:
    """Read the filters of a request. Raises InvalidParameter for a preset that there is not."""
    statuses = frozenset(JobStatus(name) for names in status for name in names.split(","))
    return JobFilter(q, statuses, "" if model is None else get_preset(model).name)
