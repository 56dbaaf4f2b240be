"""The steps that are planned for a stage, before it runs, are those that it reports while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, PNDMScheduler

from cascade.models.clip import Clip
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import (
    SHOW_1,
    ExpertTranslationOptions,
    SuperResolutionOptions,
)
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.stage import AnyStage
from tests.models.families.show1.recorder import HERE, NoText, Recorder, clean_sample_scheduler, run
from tests.models.families.show1.test_expert_translation import SquareMeans

TRAILING: dict[str, Any] = {"prediction_type": "sample", "timestep_spacing": "trailing"}
SCHEDULERS: dict[str, Scheduler] = {
    "ddim": clean_sample_scheduler(),
    "ddim-trailing": DDIMScheduler(**TRAILING, clip_sample=False),
    "ddpm-trailing": DDPMScheduler(**TRAILING, clip_sample=False),
    "euler": EulerDiscreteScheduler(prediction_type="sample"),
    "pndm": PNDMScheduler(prediction_type="epsilon", skip_prk_steps=True),
}
UNEVEN = 61
"""A number of steps for which diffusers' trailing spacing has one timestep too many."""


def steps_of(spec: AnyStageSpec, scheduler: Scheduler, videos: int = 1) -> list[tuple[int, int]]:
    """Run a small stage of the spec's kind for some videos: what it reported."""
    small = replace(spec, height=16, width=24)
    unet: Any = Recorder(channels=3)
    frames = spec.frames
    match spec.name:
        case "keyframes":
            stage: AnyStage = Keyframes(unet, scheduler, NoText(), HERE)
            return run(stage, small, tuple(range(videos)))[1]
        case "interpolation":
            stage, frames = Interpolation(unet, scheduler, NoText(), HERE), 8
        case "super-resolution":
            stage = SuperResolution(unet, scheduler, NoText(), HERE)
        case _:
            stage = ExpertTranslation(
                cast("Any", Recorder(4)), scheduler, cast("Any", SquareMeans()), NoText(), HERE
            )
    previous = Clip(torch.zeros(videos, frames, 3, 4, 6), spec.fps)
    return run(stage, small, tuple(range(videos)), previous)[1]


def few(spec: AnyStageSpec, **changes: Any) -> AnyStageSpec:
    """The spec with three steps (its image model's too), unless changed."""
    options = spec.options
    if isinstance(options, SuperResolutionOptions) and options.first_frame is not None:
        options = replace(options, first_frame=replace(options.first_frame, steps=4))
    values: dict[str, Any] = {"steps": 3, "options": options}
    return replace(spec, **(values | changes))


@pytest.mark.parametrize("videos", [1, 3])
@pytest.mark.parametrize(
    "spec", [*SHOW_1.stages, *SHAPES.stages], ids=lambda spec: f"{spec.checkpoint}".replace("/", "-")
)
def test_every_stage_reports_the_steps_that_were_planned_for_it(spec: AnyStageSpec, videos: int) -> None:
    spec = few(spec)
    planned = spec.planned_steps(videos)
    steps = steps_of(spec, clean_sample_scheduler(), videos)
    missing = 4 if planned == 4 + 3 * 4 else 1  # the image model is not there: its steps are over at once
    assert steps == [(k, planned) for k in range(missing, planned + 1)]


@pytest.mark.parametrize(("frames", "windows"), [(8, 1), (15, 2), (29, 4), (50, 7)])
def test_each_window_has_its_steps(frames: int, windows: int) -> None:
    options = SuperResolutionOptions(window=8, overlap=1)
    spec = few(SHOW_1.stages[2], frames=frames, options=options)
    assert spec.planned_steps() == 3 * windows
    assert steps_of(spec, clean_sample_scheduler()) == [(k, 3 * windows) for k in range(1, 3 * windows + 1)]


@pytest.mark.parametrize(
    ("steps", "strength", "planned"), [(10, 0.3, 3), (50, 0.8, 40), (10, 0.29, 2), (3, 0.1, 1), (7, 1.0, 7)]
)
def test_translation_plans_the_share_of_its_schedule_that_it_runs(
    steps: int, strength: float, planned: int
) -> None:
    spec = few(SHOW_1.stages[3], steps=steps, frames=1, options=ExpertTranslationOptions(strength=strength))
    assert spec.planned_steps() == planned
    assert steps_of(spec, clean_sample_scheduler()) == [(k, planned) for k in range(1, planned + 1)]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("stage", ["keyframes", "expert-translation"])
def test_the_number_does_not_depend_on_the_scheduler(name: str, stage: str) -> None:
    """PNDM visits a timestep twice, and some spacings have one too many; what is reported is what was planned."""
    spec = few(SHOW_1.stage(stage), steps=UNEVEN, frames=1, guidance_scale=1.0)
    planned = spec.planned_steps()
    steps = steps_of(spec, SCHEDULERS[name])
    assert {n for _, n in steps} == {planned}
    numbers = [k for k, _ in steps]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (1, planned)


def test_a_timestep_that_is_none_is_not_run() -> None:
    """Rounding gives 61 trailing steps a 62nd at timestep -1, where the schedule has its noisiest value."""
    scheduler = SCHEDULERS["ddim-trailing"]
    scheduler.set_timesteps(UNEVEN)
    assert scheduler.timesteps[-1] == -1
    spec = few(SHOW_1.stages[0], steps=UNEVEN, frames=1, guidance_scale=1.0)
    assert steps_of(spec, scheduler) == [(k, UNEVEN) for k in range(1, UNEVEN + 1)]


def test_parts_are_counted_one_after_the_other() -> None:
    calls: list[tuple[int, int]] = []
    steps = PlannedSteps(lambda k, n: calls.append((k, n)), planned=10)
    first, second = steps.part(4), steps.part(6)
    for k in (1, 2):
        first(k, 2)  # half as many as planned
    for k in range(1, 13):
        second(k, 12)  # twice as many
    second(5, 12)  # a part that begins again does not go back
    assert calls == [(k, 10) for k in (2, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 10)]


def test_more_steps_than_planned_stay_at_the_last() -> None:
    calls: list[tuple[int, int]] = []
    steps = PlannedSteps(lambda k, n: calls.append((k, n)), planned=2)
    steps.skip(2)
    steps.part(3)(3, 3)
    steps.catch_up()
    assert calls == [(2, 2), (2, 2)]
