"""Questions about captions: what is asked of whom, and what the text encoder learns by them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.caption_questions import Reading, answers
from cascade.models.families.shapes.moving_shapes import Scene, Second
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
    told = answers(f"a red circle {relation} a blue cross", pair(relation))
    assert told == {
        (red, "colour"): "red",
        (red, "shape"): "circle",
        (blue, "colour"): "blue",
        (blue, "shape"): "cross",
    }


def test_who_guesses_evenly_loses_the_logarithms_of_the_choices(shapes_checkpoints: Path) -> None:
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    reading = Reading(text.encoder.config.d_model)
    torch.nn.init.zeros_(reading.reader.out.weight)
    torch.nn.init.zeros_(reading.reader.out.bias)
    captions = CaptionEncoder(text)
    loss = reading(captions, 40, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx(math.log(7) + math.log(4) + math.log(7) + math.log(5), abs=1e-4)
