"""What routes ask FastAPI for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from workers.conveyor import Conveyor


def connected(request: Request) -> Conveyor:
    conveyor: Conveyor = request.app.state.conveyor
    return conveyor


Connected = Annotated[Conveyor, Depends(connected)]
