"""Keyframes: sampled from the seeds' noise and the text."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from tests.models.families.show1.recorder import (
    CPU,
    EMBEDDINGS,
    HERE,
    NoText,
    Recorder,
    clean_sample_scheduler,
    run,
    small_spec,
)


def keyframes(unet: Recorder, execution: Execution = HERE) -> Keyframes:
    return Keyframes(unet, clean_sample_scheduler(), NoText(), execution)


def test_keyframes_are_sampled_from_the_seeds_noise_and_guided_by_both_prompts() -> None:
    unet = Recorder()
    clip, steps = run(keyframes(unet), small_spec("keyframes", guidance_scale=9.0))
    assert clip.frames.shape == (1, 8, 3, 4, 6)
    assert clip.fps == 2
    assert steps == [(1, 2), (2, 2)]
    noise = draw_noise((3, 8, 4, 6), seeded_generators([7]), CPU)
    assert torch.equal(unet.inputs[0], torch.cat([noise, noise]))
    assert torch.equal(unet.texts[0], torch.cat([EMBEDDINGS.negative, EMBEDDINGS.prompt]))


def test_a_guidance_scale_of_one_runs_the_prompt_alone() -> None:
    unet = Recorder()
    run(keyframes(unet), small_spec("keyframes", guidance_scale=1.0))
    assert torch.equal(unet.texts[0], EMBEDDINGS.prompt)


def test_an_offloaded_network_is_on_its_device_only_while_the_stage_runs() -> None:
    unet = Recorder()
    run(keyframes(unet, replace(HERE, offload="model")), small_spec("keyframes"))
    assert unet.events == ["cpu", "run", "run", "cpu"]


def test_a_stage_that_is_stopped_gives_its_network_back() -> None:
    class Stopped(Exception):
        pass

    def stop(_step: int, _steps: int) -> None:
        raise Stopped

    unet, spec = Recorder(), small_spec("keyframes")
    stage = keyframes(unet, replace(HERE, offload="model"))
    with pytest.raises(Stopped):
        stage(StageInputs(spec, "a prompt", "", EMBEDDINGS, (7,)), stop)  # type: ignore[arg-type]
    assert unet.events == ["cpu", "run", "cpu"]
