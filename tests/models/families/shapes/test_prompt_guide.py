"""The prompt guide: it doubts what moving shapes cannot show, and nothing of what people ordinarily write."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cascade.models.families.shapes import captions
from cascade.models.families.shapes.captions import caption
from cascade.models.families.shapes.scene import random_scene
from cascade.models.prompt_guide import prompt_doubts, vocabulary


@pytest.mark.parametrize(
    ("prompt", "doubt"),
    [
        ("a dog surfing on a wave", '"dog", "surfing", "wave"'),
        ("a red blue circle moving left", "one colour, not red or blue"),
        ("a red circle moving right and up", "one thing at a time, not moving right or moving up"),
        ("a growing, shrinking circle", "one thing at a time, not growing or shrinking"),
        ("a circle on a white background, the background is black", "one background, not white or black"),
        ("a tiny big cross", "small and large"),
        ("three green circles", '"three"'),
        ("5 balls", '"5"'),
        ("red circles", '"circles" are more than one'),
        ("a red circle, a blue square and a green triangle", "3 shapes are named"),
        ("a red circle moving right above a blue square", "two shapes always stand still"),
        ("a red ball next to a crimson box", "different colours"),
        ("a white circle on a black background", 'a shape cannot be "white"'),
        ("a red circle on a green background", 'a background cannot be "green"'),
        ("a green square, background: red", 'a background cannot be "red"'),
        ("not a circle", '"not"'),
        ("a red circle inside a blue square", '"inside"'),
        ("круг", '"круг"'),
    ],
)
def test_what_cannot_be_shown_is_doubted(prompt: str, doubt: str) -> None:
    assert doubt in " | ".join(prompt_doubts(prompt, "shapes"))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a red circle moving right on a gray background",
        "Please show me a VIOLET ball that is not moving, grey backdrop!",
        "blue triangel next to yelow box",
        "a curcle movign rihgt",
        "the background is pink and a small plus sign climbs",
        "a circle in red and a square in blue, side by side",
        "above a triangle in purple there is a dark blue cross on a light pink background",
        "gray background, red ball, rolling to the left",
        "something like a 1 red dot",
    ],
)
def test_what_people_ordinarily_write_is_not(prompt: str) -> None:
    doubts = prompt_doubts(prompt, "shapes")
    assert not doubts or "something" in doubts[0]


@pytest.mark.parametrize("held_out_form", [False, True])
def test_captions_without_typing_errors_are_understood(
    held_out_form: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captions, "SHARE_OF_TYPOS", 0.0)
    rng = np.random.default_rng(7)
    written = [
        caption(random_scene("train", rng), rng, held_out_form=held_out_form).text for _ in range(1_000)
    ]
    doubted = [(text, doubts) for text in written if (doubts := prompt_doubts(text, "shapes"))]
    assert len(doubted) <= 10, doubted[:3]


def test_typing_errors_are_read_through_mostly() -> None:
    rng = np.random.default_rng(8)
    written = [caption(random_scene("train", rng), rng).text for _ in range(1_000)]
    assert sum(bool(prompt_doubts(text, "shapes")) for text in written) < 70


def test_the_vocabulary_names_what_scenes_have() -> None:
    words = vocabulary("shapes")
    assert words["shape"] == ("circle", "square", "triangle", "cross")
    assert "light blue" in words["background"]
    assert len(words["colour"]) == 7
    assert vocabulary("show-1") == {}
    assert prompt_doubts("a dog surfing on a wave", "show-1") == ()


def test_asking_does_not_import_torch() -> None:
    code = "import sys; from cascade.models.prompt_guide import prompt_doubts as d; d('a dog', 'shapes'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
