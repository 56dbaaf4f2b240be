"""Video models that diffusers has pipelines for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cascade.models.presets.spec import (
    Preset,
    Size,
    StageOptions,
    StageSpec,
    check_same_frames,
    check_strength,
    steps_at_strength,
)


@dataclass(frozen=True)
class TextToVideoOptions(StageOptions):
    """A diffusers text-to-video pipeline runs the stage, named by `checkpoint`; video after video."""

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:
        return spec.steps * videos


@dataclass(frozen=True)
class VideoToVideoOptions(StageOptions):
    """A diffusers video-to-video pipeline runs the stage; `strength` in (0, 1] of its schedule is run."""

    strength: float = 0.7

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:
        return steps_at_strength(spec.steps, self.strength) * videos

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        check_strength(spec, self.strength)
        check_same_frames(spec, previous)


WAN = Preset(
    name="wan",
    description="Wan 2.1 (1.3 B) by its diffusers pipeline, 81 frames of 832x480; needs a GPU.",
    sizes=(Size(832, 480),),
    example_prompts=("A cat walks on the grass, realistic style.",),
    stages=(
        StageSpec(
            name="text-to-video",
            title="Text to video",
            checkpoint="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
            text_encoder="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
            frames=81,
            height=480,
            width=832,
            fps=16,
            steps=50,
            max_steps=100,
            guidance_scale=5.0,
            max_prompt_tokens=512,
            options=TextToVideoOptions(),
        ),
    ),
)
