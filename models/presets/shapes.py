"""The small cascade of moving shapes: the four stages of Show-1 with networks that a CPU runs in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.models.presets.show1 import (
    ExpertTranslationOptions,
    FirstFrameSpec,
    InterpolationOptions,
    KeyframesOptions,
    SuperResolutionOptions,
)
from cascade.models.presets.spec import Preset, Size, StageSpec


@dataclass(frozen=True)
class SmallKeyframesOptions(KeyframesOptions):
    """Keyframes by the small network (`families.shapes.unet`)."""


@dataclass(frozen=True)
class SmallInterpolationOptions(InterpolationOptions):
    """Interpolation by the small network."""


@dataclass(frozen=True)
class SmallSuperResolutionOptions(SuperResolutionOptions):
    """Super-resolution by the small network."""


SHAPES = Preset(
    name="shapes",
    description="A small cascade of moving shapes, 29 frames of 256x160; runs on a CPU.",
    sizes=(Size(256, 160), Size(128, 80)),
    scorer="text-video",
    example_prompts=(
        "a red circle moving right on a gray background",
        "a blue square moving up on a white background",
        "a yellow triangle growing on a black background",
        "a purple cross standing still on a pink background",
        "an orange circle left of a green square on a white background",
        "a cyan triangle above a red cross on a gray background",
        "a small green ball rolling to the left, light blue background",
        "please show me a violet box that gets smaller",
        "a turquoise plus sign falling on a black backdrop",
        "a yellow disc and a blue triangle side by side on pink",
        "on the left a purple square, on the right an orange circle",
        "the background is white and a crimson pyramid slides to the right",
        "a big red cross, not moving, gray background",
        "a green square with a yellow dot above it",
    ),
    stages=(
        StageSpec(
            name="keyframes",
            title="Keyframes",
            checkpoint="shapes/keyframes",
            text_encoder="shapes/keyframes",
            frames=8,
            height=20,
            width=32,
            fps=2,
            steps=20,
            max_steps=100,
            guidance_scale=1.0,
            max_prompt_tokens=64,
            options=SmallKeyframesOptions(),
        ),
        StageSpec(
            name="interpolation",
            title="Interpolation",
            checkpoint="shapes/interpolation",
            text_encoder="shapes/keyframes",
            frames=29,
            height=20,
            width=32,
            fps=8,
            steps=4,
            max_steps=100,
            guidance_scale=1.0,
            max_prompt_tokens=64,
            options=SmallInterpolationOptions(frames_between=3),
        ),
        StageSpec(
            name="super-resolution",
            title="Super-resolution",
            checkpoint="shapes/super-resolution",
            text_encoder="shapes/keyframes",
            frames=29,
            height=80,
            width=128,
            fps=8,
            steps=2,
            max_steps=100,
            guidance_scale=1.0,
            max_prompt_tokens=64,
            options=SmallSuperResolutionOptions(
                window=8,
                overlap=1,
                noise_level=0,
                first_frame=FirstFrameSpec("shapes/first-frame", steps=2, guidance_scale=1.0, noise_level=0),
            ),
        ),
        StageSpec(
            name="expert-translation",
            title="Expert translation",
            checkpoint="shapes/expert-translation",
            text_encoder="shapes/expert-translation",
            frames=29,
            height=160,
            width=256,
            fps=8,
            steps=6,
            max_steps=100,
            guidance_scale=1.0,
            max_prompt_tokens=64,
            options=ExpertTranslationOptions(strength=0.5),
        ),
    ),
)
