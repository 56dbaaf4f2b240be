"""Prompts in people's words: what they say can be drawn and is found again, and the preset warns of the right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascade.models.families.shapes.analyser import analyse
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.people_prompts import (
    BY_KIND,
    NOT_UNDERSTOOD,
    ORDINARY,
    SPREAD_PROMPTS,
    UNDERSTOOD,
    Wish,
)
from cascade.models.families.shapes.scene import BACKGROUNDS, COLOURS, MOTIONS, RELATIONS, SHAPES, SIZES
from cascade.models.families.shapes.scenes import shapes_scene
from cascade.models.families.shapes.wishes import fitting_scene, fulfilment
from cascade.models.prompt_guide import prompt_doubts


def test_the_prompts_are_many_and_of_this_world() -> None:
    texts = [prompt.text for prompt in UNDERSTOOD] + [*ORDINARY, *NOT_UNDERSTOOD]
    assert len(texts) == len(set(texts))
    assert len(UNDERSTOOD) >= 96
    assert len(BY_KIND["typo"]) >= 18
    assert sum(len(prompt.wish.things) == 2 for prompt in UNDERSTOOD) >= 24
    assert len(ORDINARY) == len(NOT_UNDERSTOOD) == 24
    for prompt in UNDERSTOOD:
        wish = prompt.wish
        assert {colour for colour, _ in wish.things} <= {None, *COLOURS}, prompt
        assert {shape for _, shape in wish.things} <= {None, *SHAPES}, prompt
        assert wish.background in (None, *BACKGROUNDS), prompt
        assert wish.motion in (None, *MOTIONS), prompt
        assert wish.size in (None, *SIZES), prompt
        assert set(wish.relations) <= set(RELATIONS), prompt


def test_a_scene_that_fits_a_wish_fulfils_it() -> None:
    right = []
    for kind, prompts in BY_KIND.items():
        for index, prompt in enumerate(prompts):
            scene = shapes_scene(f"people/{kind}", index, 0)
            assert scene.prompt == prompt.text
            result = scene.check(scene.render(8, 20, 32))
            right.append(result["all_correct"])
    assert np.mean(right) >= 0.99


@pytest.mark.parametrize(
    ("wrong", "attributes"),
    [
        ({"things": (("red", "square"), ("green", "cross"))}, {"shape"}),
        ({"things": (("blue", "circle"), ("green", "cross"))}, {"colour"}),
        ({"relations": ("above", "below")}, {"relation"}),
        ({"background": "pink"}, {"background"}),
        ({"things": (("red", "circle"),), "relations": ()}, {"objects", "colour", "shape"}),
        # Seen from the other object, it is the other way round.
        ({"things": (("green", "cross"), ("red", "circle"))}, {"relation"}),
        ({"things": (("red", "cross"), ("green", "circle"))}, {"shape", "colour"}),
    ],
)
def test_what_is_wrong_is_noticed(wrong: dict[str, object], attributes: set[str]) -> None:
    wish = Wish((("red", "circle"), ("green", "cross")), "white", relations=("left of",))
    detection = analyse(render(fitting_scene(wish, np.random.default_rng(0)), 8, 20, 32))
    assert fulfilment(detection, wish)["all_correct"]
    result = fulfilment(detection, replace(wish, **wrong))  # type: ignore[arg-type]
    noticed = {name for name, matches in result.items() if not matches} - {"all_correct"}
    assert noticed
    assert noticed <= attributes
    assert not result["all_correct"]


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("motion", list(MOTIONS))
def test_sizes_and_motions_are_told_apart_and_unsaid_ones_are_free(size: str, motion: str) -> None:
    wish = Wish((("orange", None),), None, motion, size)
    detection = analyse(render(fitting_scene(wish, np.random.default_rng(1)), 29, 80, 128))
    assert fulfilment(detection, wish) == dict.fromkeys(
        ("objects", "colour", "motion", "size", "all_correct"), True
    )
    other = replace(wish, size=next(name for name in SIZES if name != size))
    assert not fulfilment(detection, other)["size"]


def test_choices_are_as_drawn() -> None:
    for number, (text, wish) in enumerate(SPREAD_PROMPTS):
        scene = shapes_scene(f"spread/{number}", 3, 5)
        assert scene.prompt == text
        drawn = fitting_scene(wish, np.random.default_rng((5, 3)))
        choices = scene.choices(scene.render(8, 20, 32))
        assert choices["size"] == pytest.approx(SIZES[drawn.size], rel=0.03)
        room = {"x": 32 - 40 * (SIZES[drawn.size] + 0.02), "y": 20 - 40 * (SIZES[drawn.size] + 0.02)}
        length = ("x", 32) if drawn.motion in ("moving left", "moving right") else ("y", 20)
        assert choices["speed"] == pytest.approx(drawn.travel * room[length[0]] / length[1], abs=0.01)


def test_the_preset_warns_of_what_it_cannot_show_and_not_of_ordinary_prompts() -> None:
    assert [prompt for prompt in ORDINARY if prompt_doubts(prompt, "shapes")] == []
    unheard = [prompt for prompt in NOT_UNDERSTOOD if not prompt_doubts(prompt, "shapes")]
    assert len(unheard) <= 3, unheard
