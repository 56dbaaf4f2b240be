"""A family whose stages sleep: a real line without networks, so that two cores do not blur what queues do.

`register` adds it to the registry of this process; it must be called before presets are imported.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families import registry
from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.spec import AnyStageSpec, Preset, Size, StageOptions, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs

SIZE = Size(16, 16)
STEPS = 4


@dataclass(frozen=True)
class SleepOptions(StageOptions):
    """How long a stage sleeps: evenly between `seconds * (1 - spread)` and `seconds * (1 + spread)`, by seed and stage."""

    seconds: float = 1.0
    spread: float = 0.0


class NoText:
    """A text encoder of nothing."""

    def encode(self, _prompt: str, _negative_prompt: str) -> PromptEmbeddings:
        """Return one token for each."""
        return PromptEmbeddings(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


class Sleep(Stage[SleepOptions]):
    """Sleeps in steps, and hands on a black clip."""

    def __init__(self) -> None:
        self.text = NoText()

    @classmethod
    def load(cls, _spec: AnyStageSpec, _checkpoints: Checkpoints, _execution: Execution) -> Self:
        """Load nothing."""
        return cls()

    @classmethod
    def requirements(cls, _spec: AnyStageSpec) -> tuple[Requirement, ...]:
        """Return none."""
        return ()

    def __call__(self, inputs: StageInputs[SleepOptions], on_step: OnStep) -> Clip:
        """Sleep; return (videos, frames, 3, height, width) of zeros."""
        spec, options = inputs.spec, inputs.spec.options
        draw = random.Random(f"{inputs.seeds[0]} {spec.name}")
        seconds = options.seconds * draw.uniform(1 - options.spread, 1 + options.spread)
        for step in range(spec.steps):
            time.sleep(seconds / spec.steps)
            on_step(step + 1, spec.steps)
        return Clip(torch.zeros(len(inputs.seeds), spec.frames, 3, spec.height, spec.width), spec.fps)


FAMILY = Family(room=__name__, presets=(), stages={})


def register(presets: Mapping[str, Mapping[str, float]], spread: float) -> None:
    """Add the family to the registry of this process, and of those that it forks.

    Args:
        presets: by name, the seconds of each stage, in order.
    """
    global FAMILY
    FAMILY = Family(
        room=__name__,
        presets=tuple(_preset(name, stages, spread) for name, stages in presets.items()),
        stages={SleepOptions: StageEntry(f"{__name__}:Sleep")},
    )
    registry.FAMILIES["sleeping"] = f"{__name__}:FAMILY"
    registry.families.cache_clear()


def _preset(name: str, stages: Mapping[str, float], spread: float) -> Preset:
    return Preset(
        name=name,
        description="Sleeps.",
        stages=tuple(_stage(stage, seconds, spread) for stage, seconds in stages.items()),
        sizes=(SIZE,),
    )


def _stage(name: str, seconds: float, spread: float) -> AnyStageSpec:
    return StageSpec(
        name=name,
        title=name.capitalize(),
        checkpoint="none",
        text_encoder="none",
        frames=2,
        height=SIZE.height,
        width=SIZE.width,
        fps=2,
        steps=STEPS,
        max_steps=STEPS,
        guidance_scale=1.0,
        options=SleepOptions(seconds, spread),
    )
