"""Captions of scenes of moving shapes, as people would write them.

A caption is drawn in four steps: which attributes it mentions, the words for them (`lexicon.py`), the form of the sentence, and
what people put around it: a request, capitals, a full stop, a typing error (`typos.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascade.models.families.shapes.caption_words import Words, with_article
from cascade.models.families.shapes.one_shape_forms import FORMS, HELD_OUT_FORMS
from cascade.models.families.shapes.scene import Scene, pick
from cascade.models.families.shapes.two_shape_forms import HELD_OUT_PAIR_FORMS, PAIR_FORMS
from cascade.models.families.shapes.typos import mistype

SHARE_OF_CANONICAL_CAPTIONS = 0.2
SHARE_OF_TYPOS = 0.25


@dataclass(frozen=True)
class Caption:
    """A caption and what it says.

    Attributes:
        text: as somebody would type it.
        mentions: which attributes of its scene can be read from it: some of "colour", "shape", "motion", "background", "size",
            "relation", "second colour", "second shape".
        second_first: whether the second shape of the scene is named before the first.
    """

    text: str
    mentions: frozenset[str]
    second_first: bool = False


def canonical_caption(scene: Scene) -> str:
    """Return the caption to prompt with, such as "a red circle moving right on a gray background"."""
    thing, background = with_article(f"{scene.colour} {scene.shape}"), f"on a {scene.background} background"
    if scene.second is None:
        return f"{thing} {scene.motion} {background}"
    second = with_article(f"{scene.second.colour} {scene.second.shape}")
    return f"{thing} {scene.second.relation} {second} {background}"


def caption(scene: Scene, rng: np.random.Generator, *, held_out_form: bool = False) -> Caption:
    """Describe a scene in one of many ways, now and then in the canonical one.

    Args:
        held_out_form: take a form of sentence that is held out for evaluation; training never does.
    """
    if not held_out_form and rng.random() < SHARE_OF_CANONICAL_CAPTIONS:
        mentions = {"colour", "shape", "background"}
        mentions |= {"motion"} if scene.second is None else {"relation", "second colour", "second shape"}
        return Caption(canonical_caption(scene), frozenset(mentions))
    words = Words(scene, rng)
    if scene.second is None:
        forms = HELD_OUT_FORMS if held_out_form else FORMS
        text, second_first = pick(rng, forms)(words), False
    else:
        pair_forms = HELD_OUT_PAIR_FORMS if held_out_form else PAIR_FORMS
        text, second_first = pick(rng, pair_forms)(words, scene.second)
    return Caption(_as_typed(" ".join(text.split()), rng), frozenset(words.mentions), second_first)


def _as_typed(text: str, rng: np.random.Generator) -> str:
    """Write a sentence as people type: perhaps with an error, a capital, a full stop, or without a comma."""
    text = text.replace(" ,", ",").strip(" ,")
    while rng.random() < SHARE_OF_TYPOS:
        text = mistype(text, rng)
    if rng.random() < 0.1:
        text = text.replace(",", "")
    if rng.random() < 0.1 and text.startswith(("a ", "an ", "the ")):
        text = text.partition(" ")[2]
    style = rng.random()
    if style < 0.15:
        text = text[0].upper() + text[1:]
    elif style < 0.18:
        text = text.upper()
    return text + pick(rng, (".", "!")) if rng.random() < 0.15 else text
