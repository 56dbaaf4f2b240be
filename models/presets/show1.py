"""Show-1 (Zhang et al., 2023, arXiv 2309.15818): pixel keyframes, interpolation and super-resolution, then latent
expert translation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from cascade.models.errors import PresetError
from cascade.models.presets.spec import (
    Preset,
    Schedule,
    Size,
    StageOptions,
    StageSpec,
    check_same_frames,
    check_strength,
    steps_at_strength,
)

NOISE_LEVELS = 1000
"""Steps of the schedule of noise conditioning augmentation."""


@dataclass(frozen=True)
class KeyframesOptions(StageOptions):
    """Keyframes need nothing beyond the common settings (Show-1, section 3.3); they take motions (section 3.7)."""

    takes_motion: ClassVar[bool] = True
    lowers_prompts: ClassVar[bool] = True


@dataclass(frozen=True)
class InterpolationOptions(StageOptions):
    """`frames_between` frames are made between neighbouring keyframes (Show-1, section 3.4)."""

    lowers_prompts: ClassVar[bool] = True

    frames_between: int = 3

    def keyframes(self, frames: int) -> int:
        """Return how many keyframes `frames` frames are made of.

        Raises:
            PresetError: windows from keyframe to keyframe do not cover the frames exactly.
        """
        stride = self.frames_between + 1
        if self.frames_between < 0 or frames <= stride or (frames - 1) % stride:
            raise PresetError(
                f"{frames} frames are not keyframes with {self.frames_between} frames between each two; "
                f"the number must be 1 more than a multiple of {stride}"
            )
        return (frames - 1) // stride + 1

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        keyframes = _of_stage(spec, self.keyframes)
        if previous is not None and previous.frames != keyframes:
            raise PresetError(
                f"stage {spec.name} makes its {spec.frames} frames of {keyframes} keyframes; "
                f"stage {previous.name} makes {previous.frames}"
            )


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

    lowers_prompts: ClassVar[bool] = True

    window: int = 8
    overlap: int = 1
    noise_level: int = 250
    first_frame: FirstFrameSpec | None = None

    def windows(self, frames: int) -> int:
        """Return how many windows cover `frames` frames. Raises PresetError if none do exactly."""
        stride = self.window - self.overlap
        if not 0 <= self.overlap < self.window or frames < self.window or (frames - self.window) % stride:
            raise PresetError(
                f"windows of {self.window} frames sharing {self.overlap} do not cover {frames} frames exactly; "
                f"the number must be {self.window} and a multiple of {stride}"
            )
        return (frames - self.window) // stride + 1

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:  # noqa: ARG002
        image_model = 0 if self.first_frame is None else self.first_frame.steps
        return image_model + spec.steps * self.windows(spec.frames)

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        _of_stage(spec, self.windows)
        levels = (
            [self.noise_level]
            if self.first_frame is None
            else [self.noise_level, self.first_frame.noise_level]
        )
        for level in levels:
            if not 0 <= level < NOISE_LEVELS:
                raise PresetError(f"stage {spec.name}: noise level {level} is not 0 to {NOISE_LEVELS - 1}")
        check_same_frames(spec, previous)


@dataclass(frozen=True)
class ExpertTranslationOptions(StageOptions):
    """`strength` in (0, 1] of the noise schedule is run: SDEdit's intermediate timestep (Show-1, section 3.6)."""

    strength: float = 0.8

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:  # noqa: ARG002
        return steps_at_strength(spec.steps, self.strength)

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        check_strength(spec, self.strength)
        check_same_frames(spec, previous)


def _of_stage(spec: StageSpec[Any], count: Callable[[int], int]) -> int:
    """Count the parts of the stage's frames. Raises PresetError that names the stage."""
    try:
        return count(spec.frames)
    except PresetError as error:
        raise PresetError(f"stage {spec.name}: {error}") from error


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
            max_prompt_tokens=77,
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
            max_prompt_tokens=77,
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
            max_prompt_tokens=77,
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
            max_prompt_tokens=77,
            options=ExpertTranslationOptions(strength=0.8),
        ),
    ),
)
