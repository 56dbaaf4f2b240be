"""Presets: names of stages and queues, and what a request may choose."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from cascade.models.errors import InvalidParameter
from cascade.models.presets.spec import Preset, Size, StageOptions, StageSpec, queue_name
from cascade.models.presets.table import PRESETS, get_preset


@dataclass(frozen=True)
class PlainOptions(StageOptions):
    pass


def stage(name: str, width: int, height: int) -> StageSpec[PlainOptions]:
    return StageSpec(
        name=name,
        title=name.title(),
        checkpoint=f"some/{name}",
        text_encoder="some/text",
        frames=8,
        height=height,
        width=width,
        fps=4,
        steps=10,
        max_steps=20,
        guidance_scale=5.0,
        options=PlainOptions(),
    )


CASCADE = Preset(
    name="some",
    description="Each stage larger than the one before.",
    stages=(stage("small", 32, 16), stage("large", 64, 32)),
    sizes=(Size(64, 32), Size(128, 64)),
)
LATENT = replace(CASCADE, stages=(stage("small", 32, 16), stage("middle", 64, 32), stage("large", 64, 32)))


def sizes(preset: Preset, size: str | None) -> list[str]:
    return [str(spec.size) for spec in preset.resolve(size=size)]


def test_a_size_is_that_of_the_last_stage() -> None:
    assert sizes(CASCADE, None) == ["32x16", "64x32"]
    assert sizes(CASCADE, "64x32") == ["32x16", "64x32"]
    assert sizes(CASCADE, "128x64") == ["32x16", "128x64"]


def test_stages_that_share_the_last_ones_size_follow_it() -> None:
    assert sizes(LATENT, "128x64") == ["32x16", "128x64", "128x64"]


def test_a_size_that_is_not_offered_is_refused_with_those_that_are() -> None:
    expected = 'size "300x200" is not offered by preset "some"; choose one of 64x32, 128x64'
    with pytest.raises(InvalidParameter, match=expected) as refusal:
        CASCADE.resolve(size="300x200")
    assert refusal.value.parameter == "size"


def test_steps_and_guidance_are_chosen_by_stage() -> None:
    small, large = CASCADE.resolve(steps={"small": 3}, guidance_scale={"large": 1.5})
    assert (small.steps, large.steps) == (3, 10)
    assert (small.guidance_scale, large.guidance_scale) == (5.0, 1.5)


@pytest.mark.parametrize("steps", [0, -1, 21])
def test_steps_beyond_what_the_stage_allows_are_refused(steps: int) -> None:
    with pytest.raises(InvalidParameter, match="choose 1 to 20") as refusal:
        CASCADE.resolve(steps={"large": steps})
    assert refusal.value.parameter == "steps.large"


@pytest.mark.parametrize("scale", [0.5, 31.0, float("nan")])
def test_a_guidance_scale_beyond_the_bounds_is_refused(scale: float) -> None:
    with pytest.raises(InvalidParameter, match="choose 1 to 30") as refusal:
        CASCADE.resolve(guidance_scale={"small": scale})
    assert refusal.value.parameter == "guidance_scale.small"


def test_a_stage_that_the_preset_lacks_is_refused_with_those_it_has() -> None:
    CASCADE.check_stage("small", "stop_after")
    expected = 'preset "some" has no stage "huge"; its stages are small, large'
    with pytest.raises(InvalidParameter, match=expected) as refusal:
        CASCADE.check_stage("huge", "stop_after")
    assert refusal.value.parameter == "stop_after"
    with pytest.raises(InvalidParameter, match=expected) as refusal:
        CASCADE.resolve(steps={"huge": 1})
    assert refusal.value.parameter == "steps.huge"


def test_a_stage_is_found_by_its_name() -> None:
    assert CASCADE.stage("large") is CASCADE.stages[1]
    with pytest.raises(ValueError, match="not in tuple"):
        CASCADE.stage("huge")


def test_a_queue_is_named_by_preset_and_stage() -> None:
    assert queue_name("show-1", "keyframes") == "show-1.keyframes"
    assert CASCADE.queues == ("some.small", "some.large")


@pytest.mark.parametrize("text", ["", "64", "64x", "x32", "064x32", "64x32x8", "64X32", "640000x32", "٦x٤"])
def test_a_size_in_other_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not WIDTHxHEIGHT"):
        Size.parse(text)


def test_a_size_reads_back() -> None:
    assert Size.parse("256x160") == Size(width=256, height=160)
    assert str(Size(256, 160)) == "256x160"


def test_presets_are_found_by_their_names() -> None:
    for name in PRESETS:
        assert get_preset(name).name == name
    with pytest.raises(
        InvalidParameter, match=f'no preset "nothing"; choose one of {", ".join(PRESETS)}'
    ) as refusal:
        get_preset("nothing")
    assert refusal.value.parameter == "model"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_well_formed(name: str) -> None:
    preset = PRESETS[name]
    assert re.fullmatch(r"[a-z0-9.-]+", name)
    assert len(set(preset.stage_names)) == len(preset.stages) >= 1
    assert preset.example_prompts
    assert preset.stages[-1].size in preset.sizes
    for spec in preset.stages:
        assert re.fullmatch(r"[a-z0-9-]+", spec.name)
        assert spec.title
        assert 1 <= spec.steps <= spec.max_steps
    for size in preset.sizes:
        assert preset.resolve(size=str(size))[-1].size == size
