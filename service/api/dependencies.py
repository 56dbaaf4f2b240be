"""What routes ask FastAPI for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from cascade.service.problems import ApiError
from cascade.workers.job_queue import Conveyor


def connected(request: Request) -> Conveyor:
    conveyor: Conveyor = request.app.state.conveyor
    return conveyor


Connected = Annotated[Conveyor, Depends(connected)]


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for nested in dependant.dependencies:
        yield from _query_names(nested)


def known_query(request: Request) -> None:
    """Refuse query parameters that the route does not have."""
    known = list(_query_names(request.scope["route"].dependant))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        allowed = f"choose from {', '.join(known)}" if known else "it has none"
        raise ApiError(422, f'there is no query parameter "{unknown[0]}"; {allowed}', unknown[0])
