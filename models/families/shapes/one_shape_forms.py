"""Forms of captions of one shape."""

from __future__ import annotations

from collections.abc import Callable

from cascade.models.families.shapes.caption_words import Words, request, with_article
from cascade.models.families.shapes.lexicon import (
    ADJECTIVES,
)
from cascade.models.families.shapes.scene import pick


def _being(words: Words) -> str:
    thing = words.thing(words.scene)
    return request(words, f"{thing} {words.doing()} {words.place()}")


def _does(words: Words) -> str:
    return f"{words.thing(words.scene)} {words.verb().does} {words.place()}"


def _is_doing(words: Words) -> str:
    return f"{words.thing(words.scene)} is {words.verb().doing} {words.place()}"


def _on_it(words: Words) -> str:
    place = f"on {with_article(words.backdrop())}"
    thing, verb = words.thing(words.scene), words.verb()
    return f"{place}{pick(words.rng, (',', ''))} {thing} {pick(words.rng, (verb.does, verb.doing, f'is {verb.doing}'))}"


def _background_with(words: Words) -> str:
    return request(words, f"{with_article(words.backdrop())} with {words.thing(words.scene)} {words.doing()}")


def _adjective(words: Words) -> str:
    adjectives = ADJECTIVES.get(words.scene.motion)
    if adjectives is None:
        return _being(words)
    words.mentions.add("motion")
    return request(words, f"{words.thing(words.scene, adjective=words.choose(adjectives))} {words.place()}")


def _tags(words: Words) -> str:
    thing, doing = words.thing(words.scene, article=False), words.verb().doing
    tags = [thing, doing, words.backdrop()]
    if words.chance(0.3):
        tags = [thing, tags[2], doing]
    return pick(words.rng, (", ", ", ", " ")).join(tags)


def _order(words: Words) -> str:
    start = pick(
        words.rng,
        ("make", "let", "have", "watch", "see", "i want to see", "can you make", "please let", "show me"),
    )
    return f"{start} {words.thing(words.scene)} {words.verb().base} {words.place()}"


def _background_is(words: Words) -> str:
    rest = pick(words.rng, (_does, _is_doing))
    background, words.background = words.background, ""
    sentence = rest(words)
    if background:
        words.mentions.add("background")
        start = pick(
            words.rng, ("the background is {}", "background is {}", "background: {}", "{} background")
        )
        sentence = f"{start.format(background)}{pick(words.rng, (', ', ' and ', '. ', ': '))}{sentence}"
    return sentence


def _as_it(words: Words) -> str:
    return f"{words.thing(words.scene)} as it {words.verb().does} {words.place()}"


def _motion_first(words: Words) -> str:
    return f"{words.verb().doing}{pick(words.rng, (': ', ', '))}{words.thing(words.scene)} {words.place()}"


def _background_behind(words: Words) -> str:
    thing, doing = words.thing(words.scene), words.doing()
    return (
        f"{thing} {doing}, the background is {words.backdrop()}" if words.background else f"{thing} {doing}"
    )


def _keeps(words: Words) -> str:
    return f"{words.place()} there is {words.thing(words.scene)} and it {words.verb().does}"


def _shows(words: Words) -> str:
    start = pick(
        words.rng, ("the video shows", "we see", "you can see", "i imagine", "a movie in which there is")
    )
    return f"{start} {words.thing(words.scene)} {words.doing()} {words.place()}"


def _with_it(words: Words) -> str:
    thing, place, verb = words.thing(words.scene), words.place(), words.verb()
    return f"{thing} {place}, {pick(words.rng, (f'it {verb.does}', verb.doing, f'it is {verb.doing}', f'and it {verb.does}'))}"


FORMS: tuple[Callable[[Words], str], ...] = (
    _being,
    _being,
    _being,
    _does,
    _does,
    _is_doing,
    _on_it,
    _background_with,
    _adjective,
    _tags,
    _tags,
    _order,
    _background_is,
    _shows,
    _with_it,
)
"""Forms of captions of one shape; the more usual ones are there more than once."""

HELD_OUT_FORMS: tuple[Callable[[Words], str], ...] = (_as_it, _motion_first, _background_behind, _keeps)
"""Forms that training never shows."""
