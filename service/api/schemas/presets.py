"""The presets that a deployment offers, as models of an OpenAI-like API."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from cascade.service.api.schemas.stages import NamedStage


class StageModel(NamedStage):
    """A stage of a preset, with its defaults."""

    frames: int
    height: int
    width: int
    fps: int
    steps: int
    max_steps: int
    guidance_scale: float


class ModelView(BaseModel):
    """A preset, as a model."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "cascade"
    description: str
    sizes: list[str]
    seconds: str
    example_prompts: list[str]
    motions: list[str] = Field(description="Names that `motion` may take.")
    max_prompt_chars: int
    stages: list[StageModel]


class ModelList(BaseModel):
    """The presets that this deployment offers."""

    object: Literal["list"] = "list"
    data: list[ModelView]
