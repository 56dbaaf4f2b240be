"""The one table of cascades: which stages a preset has, with their shapes, steps, guidance and checkpoints.

This module never imports torch: the gateway validates requests against it, workers build stages from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class StageKind(StrEnum):
    """A kind of stage; its value is also the name of its queue."""

    KEYFRAMES = "keyframes"
    INTERPOLATION = "interpolation"
    SUPER_RESOLUTION = "super-resolution"
    EXPERT_TRANSLATION = "expert-translation"


class InvalidParameter(ValueError):
    """A request asks for something its preset does not offer.

    Attributes:
        parameter: name of the offending request field, such as `size` or `steps.keyframes`.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, order=True)
class Size:
    """Width and height in pixels, written `256x160`."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `WIDTHxHEIGHT`. Raises ValueError when `text` is anything else."""
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text, re.ASCII)
        if match is None:
            raise ValueError(f'size "{text}" is not WIDTHxHEIGHT, such as "256x160"')
        return cls(width=int(match[1]), height=int(match[2]))


@dataclass(frozen=True)
class KeyframesOptions:
    """Keyframes need nothing beyond the common settings."""


@dataclass(frozen=True)
class InterpolationOptions:
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
class SuperResolutionOptions:
    """Windows of `window` frames that share `overlap` frames; `noise_level` 0..999 of noise conditioning
    augmentation (Show-1, section 3.5)."""

    window: int = 8
    overlap: int = 1
    noise_level: int = 250
    first_frame: FirstFrameSpec | None = None


@dataclass(frozen=True)
class ExpertTranslationOptions:
    """`strength` in (0, 1] of the noise schedule is run: SDEdit's intermediate timestep (Show-1, section 3.6)."""

    strength: float = 0.8


@dataclass(frozen=True)
class TextToVideoOptions:
    """A diffusers text-to-video pipeline runs the stage, named by `checkpoint`."""


@dataclass(frozen=True)
class VideoToVideoOptions:
    """A diffusers video-to-video pipeline runs the stage; `strength` in (0, 1] of its schedule is run."""

    strength: float = 0.7


@dataclass(frozen=True)
class Schedule:
    """The DDPM schedule of a pixel stage; named as diffusers' DDPMScheduler names its parameters."""

    num_train_timesteps: int = 1000
    beta_schedule: str = "squaredcos_cap_v2"
    prediction_type: str = "epsilon"
    variance_type: str = "learned_range"
    thresholding: bool = True
    dynamic_thresholding_ratio: float = 0.95
    sample_max_value: float = 1.5
    clip_sample: bool = True
    timestep_spacing: str = "leading"


StageOptions = (
    KeyframesOptions
    | InterpolationOptions
    | SuperResolutionOptions
    | ExpertTranslationOptions
    | TextToVideoOptions
    | VideoToVideoOptions
)


@dataclass(frozen=True)
class StageSpec:
    """Everything that fixes one stage of a cascade, apart from prompt and seed.

    `checkpoint` and `text_encoder` are directories below the checkpoints folder or hub names; stages with
    the same `text_encoder` share one set of prompt embeddings. `negative_prompt` is used where the request
    has none. Steps may be chosen by a request from 1 to `max_steps`. `schedule` of a pixel stage takes the
    place of the checkpoint's own. `clean_captions` runs IF's caption cleaning before T5.
    """

    kind: StageKind
    checkpoint: str
    text_encoder: str
    frames: int
    height: int
    width: int
    fps: int
    steps: int
    max_steps: int
    guidance_scale: float
    options: StageOptions
    negative_prompt: str = ""
    schedule: Schedule | None = None
    clean_captions: bool = False

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)


MAX_GUIDANCE_SCALE = 30.0
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Preset:
    """A named cascade: an ordered tuple of stages, and the sizes its last stage may render.

    `scorer` names the one of `cascade.models.evaluation.scorers` that chooses among drafts.
    """

    name: str
    description: str
    stages: tuple[StageSpec, ...]
    sizes: tuple[Size, ...]
    example_prompts: tuple[str, ...] = field(default=())
    scorer: str = "temporal-consistency"

    @property
    def kinds(self) -> tuple[StageKind, ...]:
        return tuple(stage.kind for stage in self.stages)

    def stage(self, kind: StageKind) -> StageSpec:
        return self.stages[self.kinds.index(kind)]

    def resolve(
        self,
        size: str | None = None,
        steps: Mapping[str, int] | None = None,
        guidance_scale: Mapping[str, float] | None = None,
    ) -> tuple[StageSpec, ...]:
        """The stages with a request's choices filled in.

        Args:
            size: the last stage's `WIDTHxHEIGHT`; None takes the preset's own.
            steps: denoising steps by stage kind, 1..max_steps.
            guidance_scale: by stage kind, 1..MAX_GUIDANCE_SCALE (1 is no guidance).
        Raises:
            InvalidParameter: the preset does not offer it; says what is allowed.
        """
        steps, guidance_scale = steps or {}, guidance_scale or {}
        self._check_kinds("steps", steps)
        self._check_kinds("guidance_scale", guidance_scale)
        stages = [
            replace(
                stage,
                steps=_checked_steps(stage, steps.get(stage.kind, stage.steps)),
                guidance_scale=_checked_guidance(stage, guidance_scale.get(stage.kind, stage.guidance_scale)),
            )
            for stage in self.stages
        ]
        if size is not None:
            chosen = self._checked_size(size)
            stages[-1] = replace(stages[-1], width=chosen.width, height=chosen.height)
        return tuple(stages)

    def _checked_size(self, text: str) -> Size:
        for size in self.sizes:
            if str(size) == text:
                return size
        offered = ", ".join(map(str, self.sizes))
        raise InvalidParameter(
            "size", f'size "{text}" is not offered by preset "{self.name}"; choose one of {offered}'
        )

    def _check_kinds(self, parameter: str, values: Mapping[str, object]) -> None:
        for kind in values:
            if kind not in self.kinds:
                stages = ", ".join(self.kinds)
                raise InvalidParameter(
                    f"{parameter}.{kind}",
                    f'preset "{self.name}" has no stage "{kind}"; its stages are {stages}',
                )


def _checked_steps(stage: StageSpec, steps: int) -> int:
    if not 1 <= steps <= stage.max_steps:
        raise InvalidParameter(
            f"steps.{stage.kind}",
            f"{steps} steps are not allowed for stage {stage.kind}; choose 1 to {stage.max_steps}",
        )
    return steps


def _checked_guidance(stage: StageSpec, guidance_scale: float) -> float:
    if not 1 <= guidance_scale <= MAX_GUIDANCE_SCALE:
        raise InvalidParameter(
            f"guidance_scale.{stage.kind}",
            f"guidance scale {guidance_scale} is not allowed for stage {stage.kind}; "
            f"choose 1 to {MAX_GUIDANCE_SCALE:g}",
        )
    return guidance_scale


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
            kind=StageKind.KEYFRAMES,
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
            kind=StageKind.INTERPOLATION,
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
            kind=StageKind.SUPER_RESOLUTION,
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
            kind=StageKind.EXPERT_TRANSLATION,
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

SHAPES = Preset(
    name="shapes",
    description="A small cascade of moving shapes, 29 frames of 256x160; runs on a CPU.",
    sizes=(Size(256, 160), Size(128, 80)),
    scorer="text-video",
    example_prompts=(
        "a red circle moving right on a gray background",
        "a blue square moving up on a white background",
    ),
    stages=(
        StageSpec(
            kind=StageKind.KEYFRAMES,
            checkpoint="shapes/keyframes",
            text_encoder="shapes/keyframes",
            frames=8,
            height=20,
            width=32,
            fps=2,
            steps=20,
            max_steps=100,
            guidance_scale=1.5,
            options=KeyframesOptions(),
        ),
        StageSpec(
            kind=StageKind.INTERPOLATION,
            checkpoint="shapes/interpolation",
            text_encoder="shapes/keyframes",
            frames=29,
            height=20,
            width=32,
            fps=8,
            steps=4,
            max_steps=100,
            guidance_scale=1.0,
            options=InterpolationOptions(frames_between=3),
        ),
        StageSpec(
            kind=StageKind.SUPER_RESOLUTION,
            checkpoint="shapes/super-resolution",
            text_encoder="shapes/keyframes",
            frames=29,
            height=80,
            width=128,
            fps=8,
            steps=2,
            max_steps=100,
            guidance_scale=1.0,
            options=SuperResolutionOptions(window=8, overlap=1, noise_level=0),
        ),
        StageSpec(
            kind=StageKind.EXPERT_TRANSLATION,
            checkpoint="shapes/expert-translation",
            text_encoder="shapes/expert-translation",
            frames=29,
            height=160,
            width=256,
            fps=8,
            steps=10,
            max_steps=100,
            guidance_scale=1.0,
            options=ExpertTranslationOptions(strength=0.3),
        ),
    ),
)

WAN = Preset(
    name="wan",
    description="Wan 2.1 (1.3 B) by its diffusers pipeline, 81 frames of 832x480; needs a GPU.",
    sizes=(Size(832, 480),),
    example_prompts=("A cat walks on the grass, realistic style.",),
    stages=(
        StageSpec(
            kind=StageKind.KEYFRAMES,
            checkpoint="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
            text_encoder="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
            frames=81,
            height=480,
            width=832,
            fps=16,
            steps=50,
            max_steps=100,
            guidance_scale=5.0,
            options=TextToVideoOptions(),
        ),
    ),
)

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (SHAPES, SHOW_1, WAN)}


def get_preset(name: str) -> Preset:
    """The preset called `name`. Raises InvalidParameter naming the presets there are."""
    if name not in PRESETS:
        raise InvalidParameter("model", f'there is no preset "{name}"; choose one of {", ".join(PRESETS)}')
    return PRESETS[name]
