"""What a stage is handed: the output of the stage before it, of the right kind and length."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.models.errors import StageInputError
from cascade.models.presets.spec import StageOptions, StageSpec
from cascade.models.stage import StageInputs

SPEC = StageSpec(
    name="second",
    title="Second",
    checkpoint="some/checkpoint",
    text_encoder="some/checkpoint",
    frames=4,
    height=16,
    width=32,
    fps=4,
    steps=1,
    max_steps=1,
    guidance_scale=1.0,
    options=StageOptions(),
)
TEXT = PromptEmbeddings(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
CLIP = Clip(torch.randn(2, 3, 3, 16, 32), 4)
LATENTS = Latents(torch.randn(2, 3, 4, 2, 4), 4, "some/autoencoder")


def inputs(previous: Output | None, seeds: tuple[int, ...] = (1, 2)) -> StageInputs[StageOptions]:
    return StageInputs(SPEC, "a prompt", "", TEXT, seeds, previous)


def test_frames_and_latents_are_handed_on_as_they_are() -> None:
    assert inputs(CLIP).previous_frames(3) is CLIP.frames
    assert inputs(CLIP).previous_frames() is CLIP.frames
    assert inputs(LATENTS).previous_latents(3) is LATENTS.latents
    assert inputs(LATENTS).previous_latents() is LATENTS.latents


@pytest.mark.parametrize(
    ("previous", "seeds", "number", "got"),
    [
        (None, (1, 2), 3, "none"),
        (LATENTS, (1, 2), 3, "none"),
        (CLIP, (1, 2), 8, r"a tensor of shape \(2, 3, 3, 16, 32\)"),
        (CLIP, (1,), 3, r"a tensor of shape \(2, 3, 3, 16, 32\)"),
    ],
    ids=["nothing", "latents", "another length", "another batch"],
)
def test_frames_that_a_stage_cannot_use_are_refused(
    previous: Output | None, seeds: tuple[int, ...], number: int, got: str
) -> None:
    expected = f"stage second needs {len(seeds)} videos of {number} frames; got {got}"
    with pytest.raises(StageInputError, match=expected):
        inputs(previous, seeds).previous_frames(number)


@pytest.mark.parametrize(
    ("previous", "seeds", "number"),
    [(None, (1, 2), 3), (CLIP, (1, 2), 3), (LATENTS, (1, 2), 8), (LATENTS, (1,), 3)],
    ids=["nothing", "a clip", "another length", "another batch"],
)
def test_latents_that_a_stage_cannot_use_are_refused(
    previous: Output | None, seeds: tuple[int, ...], number: int
) -> None:
    with pytest.raises(StageInputError, match=f"needs {len(seeds)} videos of {number} latent frames; got"):
        inputs(previous, seeds).previous_latents(number)


def test_a_stage_that_takes_any_number_says_so() -> None:
    with pytest.raises(StageInputError, match="2 videos of any number of frames; got none"):
        replace(inputs(None)).previous_frames()
