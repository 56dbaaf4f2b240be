"""Requests of clients: a new video, a remix, or that a draft goes on. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from cascade.models.presets.spec import MAX_SEED
from cascade.service.api.schemas.text import MetadataText, PromptText, Scale, Text

DraftIndex = Annotated[StrictInt, Field(ge=0)]


class StageChoices(BaseModel):
    """Choices for the stages that a new video and a remix share."""

    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)] | None = Field(
        None, description="Fixes every frame. Unless given: random for a new video, the source's for a remix."
    )
    size: str | None = Field(None, description="WIDTHxHEIGHT, one of the preset's sizes.")
    negative_prompt: Text | None = Field(None, description="What the video should not show.")
    steps: dict[str, StrictInt] = Field({}, description="Denoising steps by stage.")
    guidance_scale: dict[str, Scale] = Field({}, description="Guidance scale by stage, 1 to 30.")
    stop_after: str | None = Field(
        None, description="Make a draft: complete with this stage's clip; `continue` goes on."
    )


class VideoOptions(BaseModel):
    """Options of a new video beyond its stages; the video repeats them."""

    best_of: Annotated[StrictInt, Field(ge=1, le=16)] = Field(
        1,
        description="Make this many drafts, with `seed` and the seeds after it; the best goes on through the cascade.",
    )
    motion: str | None = Field(
        None,
        description="A motion of the preset, by its name in `/v1/models`: how things move, whatever they are.",
    )
    webhook_url: str | None = Field(
        None,
        description="Gets a POST when the video has ended, signed as Standard Webhooks specifies.",
        examples=["https://example.com/hooks/cascade"],
    )
    metadata: dict[MetadataText, MetadataText] = Field(
        {},
        max_length=16,
        description="Up to 16 pairs of text of 512 characters each, handed back unchanged.",
    )


class CreateVideo(VideoOptions, StageChoices):
    """A prompt and what the preset lets one choose."""

    model_config = ConfigDict(extra="forbid")

    prompt: PromptText = Field(description="What the video shows.")
    model: str | None = Field(None, description="Preset; the first of `/v1/models` unless given.")
    seconds: str | int | None = Field(None, description="Duration; a preset has only one.")
    retention_s: Annotated[StrictInt, Field(ge=60)] | None = Field(
        None, description="Keep the ended video this long at most; the service's own limit unless given."
    )


class RemixVideo(StageChoices):
    """Changes to a video; the clips of the stages before `from_stage` are taken from the source."""

    model_config = ConfigDict(extra="forbid")

    prompt: PromptText | None = Field(None, description="A new prompt; the source's unless given.")
    from_stage: str | None = Field(
        None, description="The first stage to run again; the preset's first unless given."
    )
    draft: DraftIndex | None = Field(
        None, description="Start from this one of the source's drafts instead of its chosen one."
    )


class CheckPrompt(BaseModel):
    """A prompt that is not asked for yet."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Preset; the first of `/v1/models` unless given.")
    prompt: PromptText = Field(description="What the video would show.")
    negative_prompt: Text | None = None


class ContinueVideo(BaseModel):
    """The choice of the draft to go on with."""

    model_config = ConfigDict(extra="forbid")

    draft: DraftIndex | None = Field(
        None, description="Index of the draft to go on with; the best one unless given."
    )
