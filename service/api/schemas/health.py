"""The answers to probes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing that must be there for videos to be made."""

    name: str = Field(description="redis, s3, or `worker:` and the name of a queue.", examples=["redis"])
    ok: bool
    detail: str = Field(examples=["2 live"])


class Readiness(BaseModel):
    """The readiness to make videos, and what is missing for it."""

    ready: bool
    checks: list[Check]
