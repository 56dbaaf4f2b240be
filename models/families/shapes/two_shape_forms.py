"""Forms of captions of two shapes."""

from __future__ import annotations

from collections.abc import Callable

from cascade.models.families.shapes.caption_words import Words, request, with_article
from cascade.models.families.shapes.lexicon import (
    ABREAST,
    ABREAST_TOGETHER,
    BESIDE_IT,
    RELATION_PHRASES,
    SIDE_PHRASES,
)
from cascade.models.families.shapes.scene import OPPOSITES, Second, pick

PairForm = Callable[[Words, Second], tuple[str, bool]]
"""Writes a caption of two shapes; also returns whether the second of the scene is named first."""


def _related(words: Words, second: Second) -> tuple[str, bool]:
    first, is_ = (
        words.thing(words.scene),
        pick(words.rng, ("", "", "is", "placed", "sitting", "that is", "standing")),
    )
    return request(words, f"{first} {is_} {words.relation()} {words.thing(second)} {words.place()}"), False


def _related_turned(words: Words, second: Second) -> tuple[str, bool]:
    """The second shape is named first, by the opposite relation."""
    words.mentions.add("relation")
    relation = words.choose(RELATION_PHRASES[OPPOSITES[second.relation]])
    is_ = pick(words.rng, ("", "", "is", "placed", "sitting"))
    return request(
        words, f"{words.thing(second)} {is_} {relation} {words.thing(words.scene)} {words.place()}"
    ), True


def _on_it_related(words: Words, second: Second) -> tuple[str, bool]:
    place = f"on {with_article(words.backdrop())}"
    return f"{place}, {words.thing(words.scene)} {words.relation()} {words.thing(second)}", False


def _with_beside_it(words: Words, second: Second) -> tuple[str, bool]:
    other = words.thing(second)
    text = f"{other} with {words.thing(words.scene)} {words.relation(BESIDE_IT)} {words.place()}"
    return request(words, text), True


def _and_beside_it(words: Words, second: Second) -> tuple[str, bool]:
    """ "a red circle and below it a blue square"."""
    words.mentions.add("relation")
    where = words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    joint = pick(words.rng, (" and ", ", ", ", and ", " with "))
    order = pick(words.rng, ("{where} {other}", "{other} {where}", "{where} is {other}"))
    first = words.thing(words.scene)
    return f"{first}{joint}{order.format(where=where, other=words.thing(second))} {words.place()}", False


def _sides(words: Words, second: Second) -> tuple[str, bool]:
    """ "a red circle on the left and a blue square on the right"."""
    words.mentions.add("relation")
    here = words.choose(SIDE_PHRASES[second.relation])
    there = words.choose(SIDE_PHRASES[OPPOSITES[second.relation]])
    parts = [(words.thing(words.scene), here), (words.thing(second), there)]
    turned = words.chance(0.5)
    if turned:
        parts.reverse()
    order = pick(words.rng, ("{thing} {side}", "{thing} {side}", "{side} {thing}", "{side} is {thing}"))
    joint = pick(words.rng, (" and ", ", ", ", and "))
    return joint.join(
        order.format(thing=thing, side=side) for thing, side in parts
    ) + f" {words.place()}", turned


def _together(words: Words, second: Second) -> tuple[str, bool]:
    """Two shapes of which nobody says where they are, but perhaps that they are beside each other."""
    abreast = second.relation in ("left of", "right of")
    turned = words.chance(0.5)
    things = [words.thing(words.scene), words.thing(second)]
    if turned:
        things.reverse()
    if abreast and words.chance(0.7):
        joined = f" {pick(words.rng, ABREAST)} ".join(things)
        if words.chance(0.3):
            joined = f"{' and '.join(things)} {pick(words.rng, ABREAST_TOGETHER)}"
    else:
        joined = pick(words.rng, (" and ", " and ", " with ", ", ")).join(things)
    return request(words, f"{joined} {words.place()}"), turned


def _two_shapes(words: Words, second: Second) -> tuple[str, bool]:
    text, turned = pick(words.rng, (_related, _sides, _together))(words, second)
    return f"{pick(words.rng, ('two shapes: ', 'two objects, ', 'there are two shapes, '))}{text}", turned


def _where_is(words: Words, second: Second) -> tuple[str, bool]:
    """ "above a blue square there is a red circle"."""
    is_ = pick(words.rng, (" there is", " is", ",", ":", " sits"))
    return f"{words.relation()} {words.thing(second)}{is_} {words.thing(words.scene)} {words.place()}", True


def _placed(words: Words, second: Second) -> tuple[str, bool]:
    """ "put a red circle above a blue square"."""
    start = pick(words.rng, ("put", "place", "draw", "show", "i see", "you see", "here is", "we want"))
    first, relation, other = words.thing(words.scene), words.relation(), words.thing(second)
    return f"{start} {first} {relation} {other} {words.place()}", False


def _sides_of_it(words: Words, second: Second) -> tuple[str, bool]:
    """ "a red circle and a blue square, the circle is on the left"."""
    words.mentions.add("relation")
    first, other = words.thing(words.scene), words.thing(second)
    about_first = words.chance(0.5)
    which, relation = (first, second.relation) if about_first else (other, OPPOSITES[second.relation])
    noun = which.split(" ", 1)[-1]
    side = words.choose(SIDE_PHRASES[relation])
    joint = pick(words.rng, (" and ", " with ", ", "))
    return f"{first}{joint}{other} {words.place()}, the {noun} is {side}", False


def _has(words: Words, second: Second) -> tuple[str, bool]:
    """ "a blue square has a red circle above it"."""
    return (
        f"{words.thing(second)} has {words.thing(words.scene)} {words.relation(BESIDE_IT)} {words.place()}",
        True,
    )


def _has_turned(words: Words, second: Second) -> tuple[str, bool]:
    """ "a red circle with a blue square below it"."""
    words.mentions.add("relation")
    first, where = words.thing(words.scene), words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    return f"{first} with {words.thing(second)} {where} {words.place()}", False


def _and_also(words: Words, second: Second) -> tuple[str, bool]:
    """ "there is a red circle. below it there is a blue square"."""
    words.mentions.add("relation")
    where = words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    first = words.thing(words.scene)
    joint = pick(words.rng, (". ", ", ", " and "))
    return f"there is {first} {words.place()}{joint}{where} there is {words.thing(second)}", False


def _lies(words: Words, second: Second) -> tuple[str, bool]:
    first = words.thing(words.scene)
    return (
        f"{words.thing(second)} lies {words.place()}, {first} can be found {words.relation(BESIDE_IT)}",
        True,
    )


def _look(words: Words, second: Second) -> tuple[str, bool]:
    first = words.thing(words.scene)
    return f"look at {first} which you find {words.relation()} {words.thing(second)} {words.place()}", False


PAIR_FORMS: tuple[PairForm, ...] = (
    _related,
    _related,
    _related_turned,
    _on_it_related,
    _with_beside_it,
    _and_beside_it,
    _sides,
    _sides,
    _together,
    _two_shapes,
    _where_is,
    _placed,
    _sides_of_it,
    _has,
    _has_turned,
    _and_also,
)

HELD_OUT_PAIR_FORMS: tuple[PairForm, ...] = (_lies, _look)
