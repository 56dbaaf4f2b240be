"""The names of a stage in answers."""

from __future__ import annotations

from pydantic import BaseModel, Field


class NamedStage(BaseModel):
    """A stage of a preset. `name` is what requests call it, `title` is for people."""

    name: str
    title: str
    kind: str = Field(deprecated="`kind` is the stage's `name`; use that", description="The same as `name`.")
