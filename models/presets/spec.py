"""The parts of a cascade: sizes, stages with their options, and presets that put stages in order.

This package never imports torch: the gateway validates requests against it, workers build stages from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from cascade.models.errors import InvalidParameter, PresetError

MIN_STEPS = 1
MIN_GUIDANCE_SCALE = 1.0
MAX_GUIDANCE_SCALE = 30.0
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, order=True)
class Size:
    """Width and height in pixels, written `256x160`."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `WIDTHxHEIGHT`. Raises ValueError for any other text."""
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text, re.ASCII)
        if match is None:
            raise ValueError(f'size "{text}" is not WIDTHxHEIGHT, such as "256x160"')
        return cls(width=int(match[1]), height=int(match[2]))


@dataclass(frozen=True)
class StageOptions:
    """Settings that one kind of stage has beside those of all stages; each kind derives its own.

    The registry (`models.families.registry`) finds the stage by the type of its options.
    """

    takes_motion: ClassVar[bool] = False
    """True for stages that can run with a motion adapter."""
    lowers_prompts: ClassVar[bool] = False
    """True for stages whose text encoder reads prompts in lower case."""

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:  # noqa: ARG002
        """Return how many steps a stage of this kind reports in one run that makes `videos` videos.

        It is known before the stage runs, and what the stage reports while it runs is counted in it.
        """
        return spec.steps

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        """Refuse what a stage of this kind cannot make; called when a preset is made.

        Args:
            spec: the stage that has these options.
            previous: the stage before it, whose output it takes; None for the first.
        Raises:
            PresetError: naming the stage, the value and what is allowed.
        """


@dataclass(frozen=True)
class Schedule:
    """A DDPM schedule that takes the place of the checkpoint's own; diffusers' DDPMScheduler has these parameters."""

    num_train_timesteps: int = 1000
    beta_schedule: str = "squaredcos_cap_v2"
    prediction_type: str = "epsilon"
    variance_type: str = "learned_range"
    thresholding: bool = True
    dynamic_thresholding_ratio: float = 0.95
    sample_max_value: float = 1.5
    clip_sample: bool = True
    timestep_spacing: str = "leading"


OptionsT = TypeVar("OptionsT", bound=StageOptions, covariant=True)


@dataclass(frozen=True)
class StageSpec(Generic[OptionsT]):
    """Everything that fixes one stage of a cascade, apart from prompt and seed.

    Attributes:
        name: of the stage within its preset, such as `keyframes`: lower-case letters, digits and hyphens.
        title: the name for people.
        checkpoint, text_encoder: directories below the checkpoints folder, or hub names; stages with the same
            `text_encoder` share one set of prompt embeddings.
        frames, height, width, fps: of the stage's output as people see it, in frames, pixels and frames per second.
        steps: denoising steps; a request may choose from 1 to `max_steps`.
        guidance_scale: of classifier-free guidance (Ho and Salimans, 2022); 1 is no guidance.
        options: what the kind of stage adds.
        negative_prompt: used where the request has none.
        schedule: takes the place of the checkpoint's own.
        clean_captions: run DeepFloyd IF's caption cleaning before the text encoder.
        max_prompt_tokens: how many tokens of a prompt the text encoder reads, its marks of beginning and end included;
            None where that is not known.
    """

    name: str
    title: str
    checkpoint: str
    text_encoder: str
    frames: int
    height: int
    width: int
    fps: int
    steps: int
    max_steps: int
    guidance_scale: float
    options: OptionsT
    negative_prompt: str = ""
    schedule: Schedule | None = None
    clean_captions: bool = False
    max_prompt_tokens: int | None = None

    def planned_steps(self, videos: int = 1) -> int:
        """Return how many steps the stage reports in one run that makes `videos` videos: the n of its (k, n)."""
        return self.options.planned_steps(self, videos)

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)


AnyStageSpec = StageSpec[StageOptions]


@dataclass(frozen=True)
class Preset:
    """A named cascade: an ordered tuple of stages, and the sizes that its last stage may render.

    Attributes:
        scorer: chooses among drafts of one prompt (`models.scoring`).

    Raises:
        PresetError: the stages do not fit together, or one cannot make the frames that it is to make.
    """

    name: str
    description: str
    stages: tuple[AnyStageSpec, ...]
    sizes: tuple[Size, ...]
    example_prompts: tuple[str, ...] = field(default=())
    scorer: str = "temporal-consistency"

    def __post_init__(self) -> None:
        previous: AnyStageSpec | None = None
        for spec in self.stages:
            spec.options.check(spec, previous)
            previous = spec

    @property
    def max_prompt_tokens(self) -> int | None:
        """How many tokens of a prompt all stages read; None where no stage says."""
        limits = [spec.max_prompt_tokens for spec in self.stages if spec.max_prompt_tokens is not None]
        return min(limits, default=None)

    @property
    def stage_names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of all stages, in order."""
        return tuple(queue_name(self.name, stage) for stage in self.stage_names)

    def stage(self, name: str) -> AnyStageSpec:
        """Return the stage called `name`. Raises ValueError if there is none."""
        return self.stages[self.stage_names.index(name)]

    def resolve(
        self,
        size: str | None = None,
        steps: Mapping[str, int] | None = None,
        guidance_scale: Mapping[str, float] | None = None,
    ) -> tuple[AnyStageSpec, ...]:
        """Fill a request's choices into the stages.

        Args:
            size: the last stage's `WIDTHxHEIGHT`; None takes the preset's own. Stages that have the last stage's size
                in the preset, as those of a latent cascade do, follow it.
            steps: denoising steps by stage, 1..max_steps.
            guidance_scale: by stage, MIN_GUIDANCE_SCALE..MAX_GUIDANCE_SCALE.
        Raises:
            InvalidParameter: the preset does not offer it; says what is allowed.
        """
        steps, guidance_scale = steps or {}, guidance_scale or {}
        for parameter, values in (("steps", steps), ("guidance_scale", guidance_scale)):
            for name in values:
                self.check_stage(name, f"{parameter}.{name}")
        stages = tuple(
            replace(
                stage,
                steps=_checked_steps(stage, steps.get(stage.name, stage.steps)),
                guidance_scale=_checked_guidance(stage, guidance_scale.get(stage.name, stage.guidance_scale)),
            )
            for stage in self.stages
        )
        return stages if size is None else self._resize(stages, size)

    def check_stage(self, name: str, parameter: str) -> None:
        """Refuse a stage that the preset lacks. Raises InvalidParameter naming the request's `parameter`."""
        if name not in self.stage_names:
            raise InvalidParameter(
                parameter,
                f'preset "{self.name}" has no stage "{name}"; its stages are {", ".join(self.stage_names)}',
            )

    def _resize(self, stages: tuple[AnyStageSpec, ...], text: str) -> tuple[AnyStageSpec, ...]:
        size = next((size for size in self.sizes if str(size) == text), None)
        if size is None:
            offered = ", ".join(map(str, self.sizes))
            raise InvalidParameter(
                "size", f'size "{text}" is not offered by preset "{self.name}"; choose one of {offered}'
            )
        shared = stages[-1].size
        return tuple(
            replace(stage, width=size.width, height=size.height) if stage.size == shared else stage
            for stage in stages
        )


def steps_at_strength(steps: int, strength: float) -> int:
    """Return how many of `steps` steps are run where only `strength` in (0, 1] of the schedule is: at least one."""
    return max(int(steps * strength), 1)


def check_strength(spec: AnyStageSpec, strength: float) -> None:
    """Refuse a share of the schedule that is none. Raises PresetError."""
    if not 0 < strength <= 1:
        raise PresetError(f"stage {spec.name}: strength {strength} is not above 0 and at most 1")


def check_same_frames(spec: AnyStageSpec, previous: AnyStageSpec | None) -> None:
    """Refuse a stage that is to make other frames than it is given. Raises PresetError."""
    if previous is not None and previous.frames != spec.frames:
        raise PresetError(
            f"stage {spec.name} makes as many frames as it is given: {spec.frames} frames do not follow from the "
            f"{previous.frames} of stage {previous.name}"
        )


def queue_name(preset: str, stage: str) -> str:
    """Return the queue of a stage of a preset, such as `show-1.keyframes`."""
    return f"{preset}.{stage}"


def _checked_steps(stage: AnyStageSpec, steps: int) -> int:
    if not MIN_STEPS <= steps <= stage.max_steps:
        raise InvalidParameter(
            f"steps.{stage.name}",
            f"{steps} steps are not allowed for stage {stage.name}; choose {MIN_STEPS} to {stage.max_steps}",
        )
    return steps


def _checked_guidance(stage: AnyStageSpec, guidance_scale: float) -> float:
    if not MIN_GUIDANCE_SCALE <= guidance_scale <= MAX_GUIDANCE_SCALE:
        raise InvalidParameter(
            f"guidance_scale.{stage.name}",
            f"guidance scale {guidance_scale} is not allowed for stage {stage.name}; "
            f"choose {MIN_GUIDANCE_SCALE:g} to {MAX_GUIDANCE_SCALE:g}",
        )
    return guidance_scale
