"""Questions about captions: which are asked of what, and what a guess costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.caption_questions import UNANSWERED, CaptionQuestions, answers, label
from cascade.models.families.shapes.scene import Scene, Second
from cascade.models.runtime.execution import Execution
from cascade.models.training.text_conditioning import CaptionEncoder

MOVING = Scene("circle", "red", "gray", "small", "moving right", 0, 0.5, 0.8)


def pair(relation: str) -> Scene:
    second = Second("cross", "blue", relation, 0.9, 0.5)
    return Scene("circle", "red", "white", "small", "standing still", 0.1, 0.5, second=second)


def test_one_shape_is_asked_about_as_a_whole() -> None:
    assert answers("a red circle moving right on a gray background", MOVING) == {
        ("anywhere", "colour"): "red",
        ("anywhere", "shape"): "circle",
        ("anywhere", "motion"): "moving right",
        ("anywhere", "background"): "gray",
    }


def test_what_a_caption_leaves_out_is_not_asked() -> None:
    assert ("anywhere", "background") not in answers("a red circle moving right", MOVING)


@pytest.mark.parametrize(
    ("relation", "red", "blue"),
    [
        ("left of", "left", "right"),
        ("right of", "right", "left"),
        ("above", "top", "bottom"),
        ("below", "bottom", "top"),
    ],
)
def test_two_shapes_are_asked_about_by_place(relation: str, red: str, blue: str) -> None:
    assert answers(f"a red circle {relation} a blue cross", pair(relation)) == {
        (red, "colour"): "red",
        (red, "shape"): "circle",
        (blue, "colour"): "blue",
        (blue, "shape"): "cross",
    }


def test_labels_are_numbers_of_choices() -> None:
    said = answers("a red circle moving right on a gray background", MOVING)
    labels = [label(said, "anywhere", kind) for kind in ("colour", "shape", "motion", "background")]
    assert labels == [
        0,
        0,
        0,
        1,
    ]  # red, circle and moving right are the first of their kinds; gray follows white
    assert label(said, "left", "colour") == UNANSWERED


def test_a_uniform_guess_costs_the_logarithms_of_the_numbers_of_choices(shapes_checkpoints: Path) -> None:
    """Seven colours, four shapes, seven motions, five backgrounds."""
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    questions = CaptionQuestions(text.encoder.config.d_model)
    torch.nn.init.zeros_(questions.decoder.out.weight)
    torch.nn.init.zeros_(questions.decoder.out.bias)
    loss = questions(CaptionEncoder(text), 40, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(math.log(7) + math.log(4) + math.log(7) + math.log(5), abs=1e-4)


def test_a_right_answer_costs_less_than_a_wrong_one(shapes_checkpoints: Path) -> None:
    """Choosing the first shape always is right for a quarter of the questions about shapes."""
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    questions = CaptionQuestions(text.encoder.config.d_model)
    torch.nn.init.zeros_(questions.decoder.out.weight)
    torch.nn.init.zeros_(questions.decoder.out.bias)
    with torch.no_grad():
        questions.decoder.out.bias[7] = 20.0  # behind seven colours: the first shape
    loss = questions(CaptionEncoder(text), 400, torch.Generator().manual_seed(0))
    others = math.log(7) + math.log(7) + math.log(5)
    assert loss.item() - others == pytest.approx(0.75 * 20, rel=0.1)
