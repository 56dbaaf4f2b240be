"""Captions in people's words: what they mention is there, in words of the right meaning, and held-out forms are never trained on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cascade.models.families.shapes import captions
from cascade.models.families.shapes.captions import caption
from cascade.models.families.shapes.lexicon import BACKGROUND_WORDS, COLOUR_WORDS, SHAPE_NOUNS, SIZE_WORDS
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.one_shape_forms import FORMS, HELD_OUT_FORMS
from cascade.models.families.shapes.scene import Scene, Second, random_scene
from cascade.models.families.shapes.two_shape_forms import HELD_OUT_PAIR_FORMS, PAIR_FORMS
from cascade.models.families.shapes.typos import mistype, neighbours

COUNT = 2_000


@pytest.fixture(name="plain")
def without_typing_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "SHARE_OF_TYPOS", 0.0)


def is_named(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("held_out_form", [False, True])
def test_what_a_caption_mentions_is_named_in_words_of_its_meaning(held_out_form: bool) -> None:
    rng = np.random.default_rng(1)
    for _ in range(COUNT):
        scene = random_scene("train", rng)
        written = caption(scene, rng, held_out_form=held_out_form)
        text = written.text.lower()
        named = {
            "colour": (COLOUR_WORDS[scene.colour], "colour" in written.mentions),
            "shape": (SHAPE_NOUNS[scene.shape], "shape" in written.mentions),
            "background": (BACKGROUND_WORDS[scene.background], "background" in written.mentions),
            "size": (SIZE_WORDS[scene.size], "size" in written.mentions),
        }
        for words, mentioned in named.values():
            assert not mentioned or is_named(words, text), text


@pytest.mark.usefixtures("plain")
def test_a_colour_that_is_not_mentioned_is_not_named() -> None:
    """Without the words that two colours share, such as "blue" in the background's "light blue"."""
    rng = np.random.default_rng(2)
    checked = 0
    for _ in range(COUNT):
        scene = random_scene("train", rng)
        written = caption(scene, rng)
        if scene.second is None and "colour" not in written.mentions and scene.colour not in ("blue", "red"):
            checked += 1
            assert not is_named(COLOUR_WORDS[scene.colour], written.text.lower()), written.text
    assert checked > 50


@pytest.mark.usefixtures("plain")
def test_the_order_of_two_shapes_is_said() -> None:
    second = Second("square", "blue", "above", 0.5, 0.9)
    scene = Scene("circle", "red", "white", "small", "standing still", 0.5, 0.1, second=second)
    rng = np.random.default_rng(3)
    seen = Counter[bool]()
    for _ in range(COUNT):
        written = caption(scene, rng)
        if not {"colour", "second colour"} <= written.mentions:
            continue
        text = written.text.lower()
        red = min(text.find(word) for word in COLOUR_WORDS["red"] if word in text)
        blue = min(text.find(word) for word in COLOUR_WORDS["blue"] if word in text)
        assert (blue < red) == written.second_first, text
        seen[written.second_first] += 1
    assert min(seen.values()) > 200


def test_every_attribute_is_left_out_now_and_then_and_named_mostly() -> None:
    rng = np.random.default_rng(4)
    written = [caption(scene, rng) for scene in (random_scene("train", rng) for _ in range(COUNT))]
    for attribute in ("colour", "shape", "background"):
        share = np.mean([attribute in one.mentions for one in written])
        assert 0.6 < share < 0.98, attribute


def test_captions_hardly_ever_repeat_but_for_the_canonical_ones() -> None:
    scene = Scene("circle", "red", "gray", "small", "moving right", 0.0, 0.5, 0.6)
    rng = np.random.default_rng(5)
    texts = Counter(caption(scene, rng).text for _ in range(COUNT))
    canonical = texts.pop(captions.canonical_caption(scene))
    assert canonical / COUNT == pytest.approx(captions.SHARE_OF_CANONICAL_CAPTIONS, abs=0.05)
    assert len(texts) > 0.8 * (COUNT - canonical)


@pytest.mark.usefixtures("plain")
def test_held_out_forms_are_not_among_the_training_ones() -> None:
    assert not set(FORMS) & set(HELD_OUT_FORMS)
    assert not set(PAIR_FORMS) & set(HELD_OUT_PAIR_FORMS)
    train = MovingShapes("train", 2, 20, 32)
    assert not any("can be found" in train[index].caption for index in range(1_000))


@pytest.mark.parametrize(("letter", "keys"), [("q", "wa"), ("g", "fhtyvb"), ("m", "njk"), ("p", "ol")])
def test_neighbouring_keys(letter: str, keys: str) -> None:
    assert set(neighbours(letter)) == set(keys)


def test_a_typing_error_changes_one_longer_word_by_one_key() -> None:
    rng = np.random.default_rng(6)
    for _ in range(500):
        before, after = (
            ["a", "red", "circle", "is", "on", "a", "gray", "one"],
            mistype("a red circle is on a gray one", rng).split(),
        )
        changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert len(changed) <= 1  # swapped letters may be alike
        for old, new in changed:
            assert old in ("circle", "gray")
            assert abs(len(old) - len(new)) <= 1


def test_words_that_are_all_short_stay() -> None:
    assert mistype("a red dot", np.random.default_rng(0)) == "a red dot"
