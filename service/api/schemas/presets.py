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
    min_steps: int
    max_steps: int
    guidance_scale: float
    min_guidance_scale: float
    max_guidance_scale: float
    max_prompt_tokens: int | None = Field(None, description="As that of the model, for this stage.")


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
    vocabulary: dict[str, list[str]] = Field(
        description="The words that the preset knows, by attribute; empty where it takes any words.",
        examples=[{"shape": ["circle", "square"], "motion": ["right", "up"]}],
    )
    motions: list[str] = Field(description="Names that `motion` may take.")
    max_seed: int
    max_best_of: int = Field(description="Most drafts of one video.")
    max_prompt_chars: int
    max_prompt_tokens: int | None = Field(
        None,
        description="Tokens of a prompt that all stages read, marks of beginning and end included; null where not known.",
    )
    stages: list[StageModel]


class ModelList(BaseModel):
    """The presets that this deployment offers."""

    object: Literal["list"] = "list"
    data: list[ModelView]
