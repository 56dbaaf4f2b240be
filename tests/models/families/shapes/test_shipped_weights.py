"""The weights of `shapes` that are part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cascade.models.checkpoints.files import SHIPPED, locate, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.layout import VARIABLES
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scene import SHAPES as KINDS
from cascade.models.families.shapes.scene import Scene
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.generate import run_stages
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")
DEMO_SEED = 1
PROMPTS = 12
LEAST_SHARES = {"background": 1.0, "colour": 0.8, "shape": 0.7, "motion": 0.7}
"""Shares by which a broken checkpoint is known: between chance and what docs/training.md has measured."""


def test_they_are_whole_and_small(tmp_path: Path) -> None:
    for requirement in requirements(SHAPES):
        place = locate(tmp_path, requirement.name)
        assert place == SHIPPED / requirement.name
        assert verify(place, requirement) == []
    assert sum(file.stat().st_size for file in (SHIPPED / "shapes").rglob("*") if file.is_file()) < 24 * 2**20


def prior_of(folder: Path, caption: str) -> Tensor:
    """The shipped caption prior of a caption: (PRIOR_CHANNELS, frames, height, width)."""
    checkpoints = Checkpoints(folder)
    text = checkpoints.t5("shapes/keyframes", CPU).encode(caption, "")
    network = checkpoints.network("shapes/keyframes", ShapesUNet, CPU)
    assert network.prior is not None
    with torch.inference_mode():
        (prior,) = network.prior(text.prompt, torch.zeros(1, len(VARIABLES)))
    assert isinstance(prior, Tensor)
    return prior


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("right", 1, 1), ("left", 1, -1), ("down", 0, 1), ("up", 0, -1)]
)
def test_the_prior_of_a_caption_moves_as_it_says(tmp_path: Path, motion: str, axis: int, sign: int) -> None:
    """The centre of what is red on white, over the frames: by at least a tenth of the picture, and that way."""
    prior = prior_of(tmp_path, f"a red circle moving {motion} on a white background")
    ink = (1 - prior[2]).clamp(min=0)  # blue is what red lacks and white has: (frames, height, width)
    places = torch.linspace(0, 1, ink.shape[1 + axis])
    centres = (ink.sum(2 - axis) * places).sum(1) / ink.sum((1, 2))
    assert sign * (centres[-1] - centres[0]) > 0.1


@pytest.mark.parametrize(
    ("above", "below"), [("circle", "square"), ("cross", "triangle"), ("square", "cross")]
)
def test_the_prior_of_a_caption_has_each_shape_in_its_place(tmp_path: Path, above: str, below: str) -> None:
    """Of two shapes one above the other, each covers the most of its half of the picture."""
    prior = prior_of(tmp_path, f"a red {above} above a blue {below} on a white background")
    maps = prior[3:].mean(1)  # (shape, height, width)
    assert KINDS[int(maps[:, :2].sum((1, 2)).argmax())] == above
    assert KINDS[int(maps[:, 3:].sum((1, 2)).argmax())] == below


@pytest.mark.slow
def test_every_stage_shows_the_demos_prompt(tmp_path: Path) -> None:
    scene = Scene("circle", "red", "gray", "small", "moving right", 0.0, 0.5, 1.0)
    verdicts: dict[str, dict[str, bool]] = {}

    def judge(stage: str, clip: Clip) -> None:
        verdicts[stage] = agreement(analyse(clip.frames[0].clamp(-1, 1)), scene)

    run_stages(
        SHAPES.stages,
        canonical_caption(scene),
        (DEMO_SEED,),
        Checkpoints(tmp_path),
        lambda _: CPU,
        on_clip=judge,
    )
    assert tuple(verdicts) == SHAPES.stage_names
    assert all(verdict["all_correct"] for verdict in verdicts.values()), verdicts


@pytest.mark.slow
def test_keyframes_show_what_the_prompt_says(tmp_path: Path) -> None:
    """Of twelve prompts; docs/training.md has the measured shares, which are higher."""
    spec = SHAPES.stage("keyframes")
    stage = load_stage(spec, Checkpoints(tmp_path), CPU)
    samples = MovingShapes("train", 8, 20, 32, seed=60_000)
    verdicts: list[dict[str, bool]] = []
    for index in range(PROMPTS):
        scene = samples[index].scene
        prompt = canonical_caption(scene)
        inputs = StageInputs(spec, prompt, "", stage.text.encode(prompt, ""), (index,))
        clip = stage(inputs, lambda *_: None)
        assert isinstance(clip, Clip)
        assert torch.isfinite(clip.frames).all()
        verdicts.append(agreement(analyse(clip.frames[0].clamp(-1, 1)), scene))
    for attribute, least in LEAST_SHARES.items():
        right = [verdict[attribute] for verdict in verdicts if attribute in verdict]
        assert sum(right) / len(right) >= least, (attribute, right)
