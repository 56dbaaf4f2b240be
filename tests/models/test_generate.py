"""A whole cascade in one process, with untrained networks and few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import cascade
from cascade.models import generate
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.models.errors import CheckpointError, InvalidParameter
from cascade.models.generate import run_stages
from cascade.models.media.latent_preview import linear_preview
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")
FEW_STEPS = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 2}


def first_two_stages(folder: Path, prompt: str = "a red circle", seeds: tuple[int, ...] = (7,)) -> Tensor:
    """Frames (videos, 29, 3, 20, 32) of keyframes and interpolation."""
    specs = SHAPES.resolve(steps=FEW_STEPS)[:2]
    return run_stages(specs, prompt, seeds, Checkpoints(folder), lambda _: CPU).frames


@pytest.mark.slow
def test_four_stages_give_29_frames_of_256_by_160(shapes_checkpoints: Path) -> None:
    clips: dict[str, Clip] = {}
    steps: list[tuple[str, int, int]] = []
    last = cascade.load("shapes", checkpoints=shapes_checkpoints, execution=CPU).generate(
        "a red circle",
        seed=7,
        steps=FEW_STEPS,
        on_step=lambda *step: steps.append(step),
        on_clip=clips.__setitem__,
    )
    shapes = {name: tuple(clip.frames.shape) for name, clip in clips.items()}
    assert shapes == {
        "keyframes": (1, 8, 3, 20, 32),
        "interpolation": (1, 29, 3, 20, 32),
        "super-resolution": (1, 29, 3, 80, 128),
        "expert-translation": (1, 29, 3, 160, 256),
    }
    assert last.fps == 8
    assert torch.isfinite(last.frames).all()
    assert last is clips["expert-translation"]
    # Super-resolution has two steps of its image model, and one in each of four windows; of two at strength 0.5 one is left.
    assert [step for step in steps if step[1] == step[2]] == [
        ("keyframes", 2, 2),
        ("interpolation", 1, 1),
        ("super-resolution", 6, 6),
        ("expert-translation", 1, 1),
    ]


def test_a_size_and_a_seed_are_chosen_by_the_call(shapes_checkpoints: Path) -> None:
    shapes = cascade.load("shapes", checkpoints=shapes_checkpoints, execution=CPU)
    one = dict.fromkeys(FEW_STEPS, 1)
    first, other = (
        shapes.generate("a red circle", seed=seed, size="128x80", steps=one).frames for seed in (7, 8)
    )
    assert first.shape == (1, 29, 3, 80, 128)
    assert not torch.equal(first, other)


def test_what_the_preset_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match='no preset "nothing"'):
        cascade.load("nothing")
    shapes = cascade.load("shapes", checkpoints=tmp_path)
    with pytest.raises(InvalidParameter, match='size "1x1" is not offered'):
        shapes.generate("a red circle", size="1x1")
    with pytest.raises(InvalidParameter, match='no stage "painting"'):
        shapes.generate("a red circle", steps={"painting": 3})


def test_the_seed_and_the_prompt_fix_the_frames(shapes_checkpoints: Path) -> None:
    first = first_two_stages(shapes_checkpoints)
    assert torch.equal(first, first_two_stages(shapes_checkpoints))
    assert not torch.equal(first, first_two_stages(shapes_checkpoints, seeds=(8,)))
    assert not torch.equal(first, first_two_stages(shapes_checkpoints, prompt="a blue square"))


def test_a_video_does_not_depend_on_its_neighbours_in_the_batch(shapes_checkpoints: Path) -> None:
    # Tolerance: kernels may sum in another order for another batch size; the noise is the same to the bit.
    alone = first_two_stages(shapes_checkpoints, seeds=(7,))
    both = first_two_stages(shapes_checkpoints, seeds=(3, 7))
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-3)


class RecordedText:
    """Encodes to nothing, and notes what it is asked."""

    def __init__(self, asked: list[tuple[str, str]]) -> None:
        self.asked = asked

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        self.asked.append((prompt, negative_prompt))
        return PromptEmbeddings(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


class LatentStage:
    """A stage that notes its inputs and hands on latents."""

    def __init__(self, asked: list[tuple[str, str]], runs: list[StageInputs[Any]]) -> None:
        self.text, self.runs = RecordedText(asked), runs

    def __call__(self, inputs: StageInputs[Any], on_step: object) -> Output:
        self.runs.append(inputs)
        assert callable(on_step)
        on_step(1, 1)
        return Latents(torch.full((1, 2, 4, 2, 4), float(len(self.runs))), 4, "some/autoencoder")

    def preview(self, latents: Latents) -> Clip:
        return replace(linear_preview(latents), fps=99)


Runs = tuple[list[tuple[str, str]], list[StageInputs[Any]]]
"""The prompts that were encoded, and the inputs of the stages."""


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """What happens, with every stage a `LatentStage`."""
    asked: list[tuple[str, str]] = []
    inputs: list[StageInputs[Any]] = []
    monkeypatch.setattr(generate, "load_stage", lambda *_: LatentStage(asked, inputs))
    return asked, inputs


def run(tmp_path: Path, *specs: AnyStageSpec, negative_prompt: str | None = None) -> Clip:
    return run_stages(
        specs, "a cat", (7,), Checkpoints(tmp_path), lambda _: CPU, negative_prompt=negative_prompt
    )


def test_each_stage_is_handed_the_output_of_the_one_before(tmp_path: Path, runs: Runs) -> None:
    last = run(tmp_path, *SHAPES.stages[:2])
    first, second = runs[1]
    assert first.previous is None
    assert isinstance(second.previous, Latents)
    assert (second.previous.latents == 1).all()
    assert last.fps == 99  # latents at the end are shown by the stage's own preview
    assert [inputs.spec.name for inputs in runs[1]] == ["keyframes", "interpolation"]


def test_latents_are_shown_by_the_preview_of_the_stage_that_made_them(tmp_path: Path, runs: Runs) -> None:
    clips: dict[str, Clip] = {}
    checkpoints = Checkpoints(tmp_path)
    run_stages(SHAPES.stages[:2], "a cat", (7,), checkpoints, lambda _: CPU, on_clip=clips.__setitem__)
    assert {name: clip.fps for name, clip in clips.items()} == {"keyframes": 99, "interpolation": 99}


def test_a_prompt_is_encoded_once_for_all_stages_that_share_the_encoder(tmp_path: Path, runs: Runs) -> None:
    first, second, third, last = SHAPES.stages
    run(tmp_path, first, second, replace(third, negative_prompt="blur"), last)
    # The third stage's own negative prompt is encoded anew, and so is what another encoder reads.
    assert runs[0] == [("a cat", ""), ("a cat", "blur"), ("a cat", "")]


def test_a_negative_prompt_goes_before_the_stages_own(tmp_path: Path, runs: Runs) -> None:
    run(tmp_path, replace(SHAPES.stages[0], negative_prompt="blur"), negative_prompt="dogs")
    assert runs[0] == [("a cat", "dogs")]


def test_stages_run_with_the_chosen_attention_kernel_and_report_their_steps(
    tmp_path: Path, runs: Runs
) -> None:
    kernels: Any = torch.backends.cuda
    steps: list[tuple[str, int, int]] = []

    def on_step(stage: str, step: int, of: int) -> None:
        assert not kernels.flash_sdp_enabled()
        steps.append((stage, step, of))

    execution = replace(CPU, attention="math")
    run_stages(SHAPES.stages[:2], "a cat", (7,), Checkpoints(tmp_path), lambda _: execution, on_step=on_step)
    assert steps == [("keyframes", 1, 1), ("interpolation", 1, 1)]
    assert kernels.flash_sdp_enabled()


def test_a_cascade_without_stages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        run(tmp_path)


def test_a_missing_checkpoint_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="nowhere/to-be-found"):
        run(tmp_path, replace(SHAPES.stages[0], checkpoint="nowhere/to-be-found"))
