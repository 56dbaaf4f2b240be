"""The answer to a prompt that is checked before a video is asked for."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PromptCheck(BaseModel):
    """What a video of the prompt would be warned of."""

    warnings: list[str] = Field(
        description="As `warnings` of a video; each begins with `prompt: ` or `negative_prompt: `.",
        examples=[['prompt: this preset does not know "dog"']],
    )
