"""Questions about captions: which are asked of what, and what a guess costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.caption_prior import QueryDecoder
from cascade.models.families.shapes.caption_questions import UNANSWERED, CaptionQuestions, answers, label
from cascade.models.families.shapes.captions import Caption
from cascade.models.families.shapes.scene import Scene, Second
from cascade.models.runtime.execution import Execution
from cascade.models.training.text_conditioning import CaptionEncoder

MOVING = Scene("circle", "red", "gray", "small", "moving right", 0, 0.5, 0.8)


def pair(relation: str) -> Scene:
    second = Second("cross", "blue", relation, 0.9, 0.5)
    return Scene("circle", "red", "white", "small", "standing still", 0.1, 0.5, second=second)


def says(*mentions: str, second_first: bool = False) -> Caption:
    return Caption("", frozenset(mentions), second_first)


def test_one_shape_is_asked_about_as_a_whole() -> None:
    assert answers(says("colour", "shape", "motion", "background", "size"), MOVING) == {
        ("anywhere", "count"): "one",
        ("anywhere", "colour"): "red",
        ("anywhere", "shape"): "circle",
        ("anywhere", "motion"): "moving right",
        ("anywhere", "background"): "gray",
        ("anywhere", "size"): "small",
    }


def test_what_a_caption_leaves_out_is_not_asked() -> None:
    assert answers(says("motion"), MOVING) == {
        ("anywhere", "count"): "one",
        ("anywhere", "motion"): "moving right",
    }


@pytest.mark.parametrize(
    ("relation", "red", "blue"),
    [
        ("left of", "left", "right"),
        ("right of", "right", "left"),
        ("above", "top", "bottom"),
        ("below", "bottom", "top"),
    ],
)
@pytest.mark.parametrize("second_first", [False, True])
def test_two_shapes_are_asked_about_by_place_and_by_order(
    relation: str, red: str, blue: str, second_first: bool
) -> None:
    order = ("named second", "named first") if second_first else ("named first", "named second")
    said = answers(
        says("colour", "shape", "second colour", "relation", second_first=second_first), pair(relation)
    )
    assert said == {
        ("anywhere", "count"): "two",
        (red, "colour"): "red",
        (red, "shape"): "circle",
        (order[0], "colour"): "red",
        (order[0], "shape"): "circle",
        (blue, "colour"): "blue",
        (order[1], "colour"): "blue",
    }


def test_without_a_relation_nobody_is_asked_who_is_where() -> None:
    said = answers(says("colour", "second colour"), pair("above"))
    assert {place for place, _ in said} == {"anywhere", "named first", "named second"}


def test_labels_are_numbers_of_choices() -> None:
    said = answers(says("colour", "shape", "motion", "background"), MOVING)
    labels = [label(said, "anywhere", kind) for kind in ("colour", "shape", "motion", "background")]
    assert labels == [
        0,
        0,
        0,
        1,
    ]  # red, circle and moving right are the first of their kinds; gray follows white
    assert label(said, "left", "colour") == UNANSWERED


def test_a_uniform_guess_costs_the_logarithms_of_the_numbers_of_choices(shapes_checkpoints: Path) -> None:
    """Seven colours, four shapes, seven motions, five backgrounds, two sizes, one shape or two."""
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    questions, decoder = CaptionQuestions(), QueryDecoder(text.encoder.config.d_model)
    torch.nn.init.zeros_(questions.out.weight)
    torch.nn.init.zeros_(questions.out.bias)
    loss = questions(decoder, CaptionEncoder(text), 80, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(sum(map(math.log, (7, 4, 7, 5, 2, 2))), abs=1e-4)


def test_a_right_answer_costs_less_than_a_wrong_one(shapes_checkpoints: Path) -> None:
    """Choosing the first shape always is right for a quarter of the questions about shapes."""
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    questions, decoder = CaptionQuestions(), QueryDecoder(text.encoder.config.d_model)
    torch.nn.init.zeros_(questions.out.weight)
    torch.nn.init.zeros_(questions.out.bias)
    with torch.no_grad():
        questions.out.bias[7] = 20.0  # behind seven colours: the first shape
    loss = questions(decoder, CaptionEncoder(text), 400, torch.Generator().manual_seed(0))
    others = sum(map(math.log, (7, 7, 5, 2, 2)))
    assert loss.item() - others == pytest.approx(0.75 * 20, rel=0.1)
