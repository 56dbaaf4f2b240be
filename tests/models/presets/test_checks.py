"""A preset whose stages do not fit together is refused when it is made, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cascade.models.errors import ModelError, PresetError
from cascade.models.presets.pipelines import WAN, VideoToVideoOptions
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import (
    SHOW_1,
    ExpertTranslationOptions,
    InterpolationOptions,
    SuperResolutionOptions,
)
from cascade.models.presets.spec import Preset
from cascade.models.presets.table import PRESETS


def changed(preset: Preset, **by_stage: dict[str, Any]) -> Preset:
    """Make the preset anew with changes to its stages; underscores in their names stand for hyphens."""
    changes = {name.replace("_", "-"): values for name, values in by_stage.items()}
    return replace(
        preset, stages=tuple(replace(spec, **changes.get(spec.name, {})) for spec in preset.stages)
    )


def with_frames(preset: Preset, frames: int, keyframes: int) -> Preset:
    later = {"frames": frames}
    return changed(
        preset,
        keyframes={"frames": keyframes},
        interpolation=later,
        super_resolution=later,
        expert_translation=later,
    )


@pytest.mark.parametrize("preset", [SHOW_1, SHAPES], ids=lambda preset: preset.name)
@pytest.mark.parametrize("frames", [28, 30, 31, 32, 1, 0, 4])
def test_frames_that_keyframes_do_not_cover_are_refused(preset: Preset, frames: int) -> None:
    expected = (
        f"stage interpolation: {frames} frames are not keyframes with 3 frames between each two; "
        "the number must be 1 more than a multiple of 4"
    )
    with pytest.raises(PresetError, match=expected):
        with_frames(preset, frames, 8)


@pytest.mark.parametrize("preset", [SHOW_1, SHAPES], ids=lambda preset: preset.name)
@pytest.mark.parametrize(("frames", "keyframes"), [(5, 2), (13, 4), (33, 9)])
def test_frames_that_windows_do_not_cover_are_refused(preset: Preset, frames: int, keyframes: int) -> None:
    """They follow from keyframes, but are not 8 and a multiple of 7."""
    with pytest.raises(
        PresetError, match=f"stage super-resolution: windows of 8 frames sharing 1 do not cover {frames}"
    ):
        with_frames(preset, frames, keyframes)


@pytest.mark.parametrize(("frames", "keyframes"), [(29, 8), (57, 15)])
def test_frames_that_all_windows_cover_are_taken(frames: int, keyframes: int) -> None:
    assert with_frames(SHAPES, frames, keyframes).stages[-1].frames == frames


@pytest.mark.parametrize(
    ("by_stage", "complaint"),
    [
        ({"keyframes": {"frames": 7}}, "of 8 keyframes; stage keyframes makes 7"),
        (
            {"interpolation": {"options": InterpolationOptions(frames_between=1)}},
            "of 15 keyframes; stage keyframes makes 8",
        ),
        (
            {"interpolation": {"options": InterpolationOptions(frames_between=-1)}},
            "stage interpolation: 29 frames",
        ),
        ({"super_resolution": {"frames": 22}}, "22 frames do not follow from the 29 of stage interpolation"),
        (
            {"expert_translation": {"frames": 28}},
            "28 frames do not follow from the 29 of stage super-resolution",
        ),
        (
            {"super_resolution": {"options": SuperResolutionOptions(window=8, overlap=8)}},
            "sharing 8 do not cover 29",
        ),
        (
            {"super_resolution": {"options": SuperResolutionOptions(window=8, overlap=-1)}},
            "sharing -1 do not cover 29",
        ),
        (
            {"super_resolution": {"options": SuperResolutionOptions(noise_level=1000)}},
            "noise level 1000 is not 0 to 999",
        ),
        (
            {"expert_translation": {"options": ExpertTranslationOptions(strength=0.0)}},
            "strength 0.0 is not above 0",
        ),
        (
            {"expert_translation": {"options": ExpertTranslationOptions(strength=1.5)}},
            "strength 1.5 is not above 0",
        ),
    ],
)
def test_stages_that_do_not_fit_are_refused(by_stage: dict[str, dict[str, Any]], complaint: str) -> None:
    with pytest.raises(PresetError, match=complaint):
        changed(SHOW_1, **by_stage)


def test_a_refinement_makes_the_frames_that_it_is_given() -> None:
    second = replace(WAN.stages[0], name="refinement", frames=77, options=VideoToVideoOptions(strength=0.5))
    with pytest.raises(PresetError, match="77 frames do not follow from the 81 of stage text-to-video"):
        replace(WAN, stages=(*WAN.stages, second))
    whole = replace(WAN, stages=(*WAN.stages, replace(second, frames=81)))
    assert [spec.planned_steps(2) for spec in whole.stages] == [100, 50]


def test_a_preset_error_is_a_value_error_of_the_models_floor() -> None:
    assert issubclass(PresetError, ValueError)
    assert issubclass(PresetError, ModelError)


@pytest.mark.parametrize(("name", "limit"), [("shapes", 64), ("show-1", 77), ("wan", 512)])
def test_a_preset_says_how_many_tokens_of_a_prompt_it_reads(name: str, limit: int) -> None:
    assert PRESETS[name].max_prompt_tokens == limit
    assert {spec.max_prompt_tokens for spec in PRESETS[name].stages} == {limit}


def test_the_least_limit_of_its_stages_is_that_of_a_preset() -> None:
    assert changed(SHOW_1, keyframes={"max_prompt_tokens": 20}).max_prompt_tokens == 20
    none = {name.replace("-", "_"): {"max_prompt_tokens": None} for name in SHOW_1.stage_names}
    assert changed(SHOW_1, **none).max_prompt_tokens is None
