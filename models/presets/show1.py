"""Show-1 (Zhang et al., 2023, arXiv 2309.15818): pixel keyframes, interpolation and super-resolution, then latent
expert translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cascade.models.presets.spec import Preset, Schedule, Size, StageOptions, StageSpec


@dataclass(frozen=True)
class KeyframesOptions(StageOptions):
    """Keyframes need nothing beyond the common settings (Show-1, section 3.3); they take motions (section 3.7)."""

    takes_motion: ClassVar[bool] = True


@dataclass(frozen=True)
class InterpolationOptions(StageOptions):
    """`frames_between` frames are made between neighbouring keyframes (Show-1, section 3.4)."""

    frames_between: int = 3


@dataclass(frozen=True)
class FirstFrameSpec:
    """The image super-resolution model that upscales the very first frame of super-resolution."""

    checkpoint: str
    steps: int
    guidance_scale: float
    noise_level: int


@dataclass(frozen=True)
class SuperResolutionOptions(StageOptions):
    """Windows of `window` frames that share `overlap` frames; `noise_level` 0..999 of noise conditioning
    augmentation (Show-1, section 3.5)."""

    window: int = 8
    overlap: int = 1
    noise_level: int = 250
    first_frame: FirstFrameSpec | None = None


@dataclass(frozen=True)
class ExpertTranslationOptions(StageOptions):
    """`strength` in (0, 1] of the noise schedule is run: SDEdit's intermediate timestep (Show-1, section 3.6)."""

    strength: float = 0.8


SHOW_1 = Preset(
    name="show-1",
    description="The published Show-1 cascade, 29 frames of 576x320 at 8 frames per second; needs a GPU.",
    sizes=(Size(576, 320),),
    example_prompts=(
        "A panda besides the waterfall is holding a sign that says Show 1.",
        "Toad practicing karate.",
    ),
    stages=(
        StageSpec(
            name="keyframes",
            title="Keyframes",
            checkpoint="showlab/show-1-base",
            text_encoder="showlab/show-1-base",
            frames=8,
            height=40,
            width=64,
            fps=2,
            steps=75,
            max_steps=200,
            guidance_scale=9.0,
            schedule=Schedule(sample_max_value=1.5),
            options=KeyframesOptions(),
        ),
        StageSpec(
            name="interpolation",
            title="Interpolation",
            checkpoint="showlab/show-1-interpolation",
            text_encoder="showlab/show-1-base",
            frames=29,
            height=40,
            width=64,
            fps=8,
            steps=75,
            max_steps=200,
            guidance_scale=4.0,
            schedule=Schedule(sample_max_value=1.5),
            options=InterpolationOptions(frames_between=3),
        ),
        StageSpec(
            name="super-resolution",
            title="Super-resolution",
            checkpoint="showlab/show-1-sr1",
            text_encoder="showlab/show-1-base",
            frames=29,
            height=160,
            width=256,
            fps=8,
            steps=125,
            max_steps=200,
            guidance_scale=7.0,
            schedule=Schedule(sample_max_value=1.0),
            options=SuperResolutionOptions(
                window=8,
                overlap=1,
                noise_level=250,
                first_frame=FirstFrameSpec(
                    checkpoint="DeepFloyd/IF-II-L-v1.0", steps=70, guidance_scale=4.0, noise_level=150
                ),
            ),
        ),
        StageSpec(
            name="expert-translation",
            title="Expert translation",
            checkpoint="showlab/show-1-sr2",
            text_encoder="showlab/show-1-sr2",
            frames=29,
            height=320,
            width=576,
            fps=8,
            steps=50,
            max_steps=200,
            guidance_scale=15.0,
            negative_prompt="low resolution, blur",
            options=ExpertTranslationOptions(strength=0.8),
        ),
    ),
)
