"""The weights of `shapes` that are part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.files import SHIPPED, locate, needed_by, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import SHAPES as KINDS
from cascade.models.families.shapes.moving_shapes import MovingShapes, Scene, canonical_caption
from cascade.models.generate import generate
from cascade.models.presets.table import SHAPES, StageKind
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

DEMO_SEED = 1
PROMPTS = 12
WANTED = {"background": 1.0, "colour": 0.8, "shape": 0.7, "motion": 0.7}
"""Shares by which a broken checkpoint is known: between chance and what docs/training.md has measured."""


def test_they_are_whole_and_small(tmp_path: Path) -> None:
    for needed in needed_by(SHAPES):
        place = locate(tmp_path, needed.name)
        assert place is not None
        assert verify(place, needed) == []
    assert sum(file.stat().st_size for file in (SHIPPED / "shapes").rglob("*") if file.is_file()) < 24 * 2**20


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("right", 1, 1), ("left", 1, -1), ("down", 0, 1), ("up", 0, -1)]
)
def test_the_layout_of_a_caption_moves_as_it_says(tmp_path: Path, motion: str, axis: int, sign: int) -> None:
    """The centre of what is red on white, over the frames: by at least a tenth of the picture, and that way."""
    checkpoints, cpu = Checkpoints(tmp_path), Execution(device="cpu")
    text = checkpoints.t5("shapes/keyframes", cpu).encode(
        f"a red circle moving {motion} on a white background", ""
    )
    with torch.inference_mode():
        (frames,) = checkpoints.pixel_unet("shapes/keyframes", cpu).layout(text.prompt)
    ink = (1 - frames[2]).clamp(min=0)  # blue is what red lacks and white has: (frames, height, width)
    places = torch.linspace(0, 1, ink.shape[1 + axis])
    centres = (ink.sum(2 - axis) * places).sum(1) / ink.sum((1, 2))
    assert sign * (centres[-1] - centres[0]) > 0.1


@pytest.mark.parametrize(
    ("above", "below"), [("circle", "square"), ("cross", "triangle"), ("square", "cross")]
)
def test_the_layout_of_a_caption_has_each_shape_in_its_place(tmp_path: Path, above: str, below: str) -> None:
    """Of two shapes one above the other, each covers the most of its half of the picture."""
    checkpoints, cpu = Checkpoints(tmp_path), Execution(device="cpu")
    text = checkpoints.t5("shapes/keyframes", cpu).encode(
        f"a red {above} above a blue {below} on a white background", ""
    )
    with torch.inference_mode():
        (layout,) = checkpoints.pixel_unet("shapes/keyframes", cpu).layout(text.prompt)
    maps = layout[3:].mean(1)  # (shape, height, width)
    assert KINDS[int(maps[:, :2].sum((1, 2)).argmax())] == above
    assert KINDS[int(maps[:, 3:].sum((1, 2)).argmax())] == below


@pytest.mark.slow
def test_every_stage_shows_the_demos_prompt(tmp_path: Path) -> None:
    asked = Scene("circle", "red", "gray", "small", "moving right", 0.0, 0.5, 1.0)
    shown: dict[StageKind, dict[str, bool]] = {}
    generate(
        SHAPES.stages,
        canonical_caption(asked),
        (DEMO_SEED,),
        Checkpoints(tmp_path),
        lambda _: Execution(device="cpu"),
        None,
        lambda *_: None,
        lambda kind, clip: shown.update({kind: agrees(analyse(clip.frames[0].clamp(-1, 1)), asked)}),
    )
    assert list(shown) == list(StageKind)
    assert all(said["all_correct"] for said in shown.values()), shown


@pytest.mark.slow
def test_keyframes_show_what_the_prompt_says(tmp_path: Path) -> None:
    """Of twelve prompts; docs/training.md has the measured shares, which are higher."""
    spec = SHAPES.stage(StageKind.KEYFRAMES)
    stage = load_stage(spec, Checkpoints(tmp_path), Execution(device="cpu"))
    clips, shown = MovingShapes("train", 8, 20, 32, seed=60_000), []
    for index in range(PROMPTS):
        scene = clips[index].scene
        prompt = canonical_caption(scene)
        inputs = StageInputs(spec, prompt, "", stage.text.encode(prompt, ""), (index,))
        clip = stage(inputs, lambda *_: None)
        shown.append(agrees(analyse(clip.frames[0].clamp(-1, 1)), scene))
    for attribute, wanted in WANTED.items():
        right = [said[attribute] for said in shown if attribute in said]
        assert sum(right) / len(right) >= wanted, (attribute, right)
    assert torch.isfinite(clip.frames).all()
