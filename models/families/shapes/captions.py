"""Captions of scenes of moving shapes, as people would write them.

A caption is drawn in four steps: which attributes it mentions, the words for them (`lexicon.py`), the form of the sentence, and
what people put around it: a request, capitals, a full stop, a typing error (`typos.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cascade.models.families.shapes.lexicon import (
    ABREAST,
    ABREAST_TOGETHER,
    ADJECTIVES,
    ANY_SHAPE,
    BACKGROUND_NOUNS,
    BACKGROUND_WORDS,
    BESIDE_IT,
    COLOUR_WORDS,
    DIRECTION_PHRASES,
    MOTION_VERBS,
    MOVE,
    RELATION_PHRASES,
    SHAPE_NOUNS,
    SIDE_PHRASES,
    SIZE_WORDS,
    STATES,
    Verb,
    Words,
)
from cascade.models.families.shapes.scene import OPPOSITES, Scene, Second, pick
from cascade.models.families.shapes.typos import mistype

SHARE_OF_CANONICAL_CAPTIONS = 0.2
SHARE_OF_CANONICAL_WORDS = 0.4
"""Of the other captions' words; the rest are drawn evenly from all words of a meaning."""
SHARE_OF_NAMED_SIZES = 0.3
SHARE_OF_UNNAMED = 0.12
"""Of colours, shapes, motions and relations: they vary then. Backgrounds are left out twice as often."""
SHARE_OF_REQUESTS = 0.3
SHARE_OF_TYPOS = 0.25

REQUESTS = (
    "please show {}",
    "show me {}",
    "a video of {}",
    "video of {}",
    "an animation of {}",
    "a clip of {}",
    "i want {}",
    "i want to see {}",
    "i would like to see {}",
    "can you make {}",
    "could you show me {}",
    "make {}",
    "make me a video of {}",
    "generate {}",
    "generate a video of {}",
    "create {}",
    "create a clip with {}",
    "draw {}",
    "animate {}",
    "give me {}",
    "there is {}",
    "here is {}",
    "a scene with {}",
    "a short clip showing {}",
    "{} please",
    "{}, please",
    "{}, thanks",
    "{}, animation",
    "{}, simple, flat",
)
"""For captions that are a noun with what belongs to it."""


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
    thing, background = _with_article(f"{scene.colour} {scene.shape}"), f"on a {scene.background} background"
    if scene.second is None:
        return f"{thing} {scene.motion} {background}"
    second = _with_article(f"{scene.second.colour} {scene.second.shape}")
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
    words = _Words(scene, rng)
    if scene.second is None:
        forms = HELD_OUT_FORMS if held_out_form else FORMS
        text, second_first = pick(rng, forms)(words), False
    else:
        pair_forms = HELD_OUT_PAIR_FORMS if held_out_form else PAIR_FORMS
        text, second_first = pick(rng, pair_forms)(words, scene.second)
    return Caption(_as_typed(" ".join(text.split()), rng), frozenset(words.mentions), second_first)


class _Words:
    """Draws the words of one caption, and remembers which attributes they mention."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene, self.rng = scene, rng
        self.mentions: set[str] = set()
        self.background = (
            "" if self.chance(2 * SHARE_OF_UNNAMED) else self.choose(BACKGROUND_WORDS[scene.background])
        )

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def choose(self, words: tuple[str, ...]) -> str:
        """Draw the canonical word, or any of them."""
        return words[0] if self.chance(SHARE_OF_CANONICAL_WORDS) else pick(self.rng, words)

    def thing(self, of: Scene | Second, *, adjective: str = "", article: bool = True) -> str:
        """Name a shape: "a small red ball"; its size, colour or kind may be left out."""
        prefix = "" if isinstance(of, Scene) else "second "
        colour = "" if self.chance(SHARE_OF_UNNAMED) else self.choose(COLOUR_WORDS[of.colour])
        shape = "" if colour and self.chance(SHARE_OF_UNNAMED) else self.choose(SHAPE_NOUNS[of.shape])
        self.mentions |= {prefix + "colour"} if colour else set()
        self.mentions |= {prefix + "shape"} if shape else set()
        shape = shape or pick(self.rng, ANY_SHAPE)
        size = ""
        if isinstance(of, Scene) and of.second is None and self.chance(SHARE_OF_NAMED_SIZES):
            size = self.choose(SIZE_WORDS[of.size])
            self.mentions.add("size")
        if colour and not size and not adjective and self.chance(0.12):
            noun = pick(
                self.rng, (f"{shape} in {colour}", f"{shape} that is {colour}", f"{colour} colored {shape}")
            )
            noun = noun.replace("colored", pick(self.rng, ("colored", "coloured")))
        else:
            noun = " ".join(word for word in (adjective, size, colour, shape) if word)
        if not article:
            return noun
        return f"the {noun}" if self.chance(0.08) else _with_article(noun)

    def verb(self) -> Verb:
        """Draw a verb for the motion, with its direction."""
        motion = self.scene.motion
        self.mentions.add("motion")
        directed = motion in DIRECTION_PHRASES and (motion not in MOTION_VERBS or self.chance(0.7))
        if not directed:
            verbs = MOTION_VERBS[motion]
            return verbs[0] if self.chance(SHARE_OF_CANONICAL_WORDS) else pick(self.rng, verbs)
        direction = self.choose(DIRECTION_PHRASES[motion])
        verb = MOVE[0] if self.chance(SHARE_OF_CANONICAL_WORDS) else pick(self.rng, MOVE)
        return Verb(*(f"{form} {direction}" for form in (verb.base, verb.does, verb.doing)))

    def doing(self) -> str:
        """Say what the shape is doing, behind its noun; now and then nothing."""
        if self.chance(SHARE_OF_UNNAMED):
            return ""
        if self.scene.motion in STATES and self.chance(0.5):
            self.mentions.add("motion")
            return pick(self.rng, STATES[self.scene.motion])
        verb = self.verb()
        return pick(
            self.rng, (verb.doing, verb.doing, verb.doing, f"that is {verb.doing}", f"which {verb.does}")
        )

    def place(self) -> str:
        """Say what it is on: "on a gray background"; nothing where the background is left out."""
        if not self.background:
            return ""
        self.mentions.add("background")
        noun, colour = self.background_noun(), self.background
        return pick(
            self.rng,
            (
                f"on {_with_article(f'{colour} {noun}')}",
                f"on {_with_article(f'{colour} {noun}')}",
                f"against {_with_article(f'{colour} {noun}')}",
                f"over {_with_article(f'{colour} {noun}')}",
                f"in front of {_with_article(f'{colour} {noun}')}",
                f"with {_with_article(f'{colour} {noun}')}",
                f"on {colour}",
                f"on the {colour} {noun}",
                f"{colour} {noun}",
                f", {colour} {noun}",
            ),
        )

    def background_noun(self) -> str:
        return self.choose(BACKGROUND_NOUNS)

    def backdrop(self) -> str:
        """Name the background: "gray background"; whatever it is, where its colour is left out."""
        if not self.background:
            return self.background_noun()
        self.mentions.add("background")
        return f"{self.background} {self.background_noun()}"

    def relation(self, phrases: Words = RELATION_PHRASES) -> str:
        """Draw a phrase for where the first shape is, seen from the second."""
        assert self.scene.second is not None
        self.mentions.add("relation")
        return self.choose(phrases[self.scene.second.relation])


def _being(words: _Words) -> str:
    thing = words.thing(words.scene)
    return _request(words, f"{thing} {words.doing()} {words.place()}")


def _does(words: _Words) -> str:
    return f"{words.thing(words.scene)} {words.verb().does} {words.place()}"


def _is_doing(words: _Words) -> str:
    return f"{words.thing(words.scene)} is {words.verb().doing} {words.place()}"


def _on_it(words: _Words) -> str:
    place = f"on {_with_article(words.backdrop())}"
    thing, verb = words.thing(words.scene), words.verb()
    return f"{place}{pick(words.rng, (',', ''))} {thing} {pick(words.rng, (verb.does, verb.doing, f'is {verb.doing}'))}"


def _background_with(words: _Words) -> str:
    return _request(
        words, f"{_with_article(words.backdrop())} with {words.thing(words.scene)} {words.doing()}"
    )


def _adjective(words: _Words) -> str:
    adjectives = ADJECTIVES.get(words.scene.motion)
    if adjectives is None:
        return _being(words)
    words.mentions.add("motion")
    return _request(words, f"{words.thing(words.scene, adjective=words.choose(adjectives))} {words.place()}")


def _tags(words: _Words) -> str:
    thing, doing = words.thing(words.scene, article=False), words.verb().doing
    tags = [thing, doing, words.backdrop()]
    if words.chance(0.3):
        tags = [thing, tags[2], doing]
    return pick(words.rng, (", ", ", ", " ")).join(tags)


def _order(words: _Words) -> str:
    start = pick(
        words.rng,
        ("make", "let", "have", "watch", "see", "i want to see", "can you make", "please let", "show me"),
    )
    return f"{start} {words.thing(words.scene)} {words.verb().base} {words.place()}"


def _background_is(words: _Words) -> str:
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


def _as_it(words: _Words) -> str:
    return f"{words.thing(words.scene)} as it {words.verb().does} {words.place()}"


def _motion_first(words: _Words) -> str:
    return f"{words.verb().doing}{pick(words.rng, (': ', ', '))}{words.thing(words.scene)} {words.place()}"


def _background_behind(words: _Words) -> str:
    thing, doing = words.thing(words.scene), words.doing()
    return (
        f"{thing} {doing}, the background is {words.backdrop()}" if words.background else f"{thing} {doing}"
    )


def _keeps(words: _Words) -> str:
    return f"{words.place()} there is {words.thing(words.scene)} and it {words.verb().does}"


def _shows(words: _Words) -> str:
    start = pick(
        words.rng, ("the video shows", "we see", "you can see", "i imagine", "a movie in which there is")
    )
    return f"{start} {words.thing(words.scene)} {words.doing()} {words.place()}"


def _with_it(words: _Words) -> str:
    thing, place, verb = words.thing(words.scene), words.place(), words.verb()
    return f"{thing} {place}, {pick(words.rng, (f'it {verb.does}', verb.doing, f'it is {verb.doing}', f'and it {verb.does}'))}"


FORMS: tuple[Callable[[_Words], str], ...] = (
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

HELD_OUT_FORMS: tuple[Callable[[_Words], str], ...] = (_as_it, _motion_first, _background_behind, _keeps)
"""Forms that training never shows."""

PairForm = Callable[[_Words, Second], tuple[str, bool]]
"""Writes a caption of two shapes; also returns whether the second of the scene is named first."""


def _related(words: _Words, second: Second) -> tuple[str, bool]:
    first, is_ = (
        words.thing(words.scene),
        pick(words.rng, ("", "", "is", "placed", "sitting", "that is", "standing")),
    )
    return _request(words, f"{first} {is_} {words.relation()} {words.thing(second)} {words.place()}"), False


def _related_turned(words: _Words, second: Second) -> tuple[str, bool]:
    """The second shape is named first, by the opposite relation."""
    words.mentions.add("relation")
    relation = words.choose(RELATION_PHRASES[OPPOSITES[second.relation]])
    is_ = pick(words.rng, ("", "", "is", "placed", "sitting"))
    return _request(
        words, f"{words.thing(second)} {is_} {relation} {words.thing(words.scene)} {words.place()}"
    ), True


def _on_it_related(words: _Words, second: Second) -> tuple[str, bool]:
    place = f"on {_with_article(words.backdrop())}"
    return f"{place}, {words.thing(words.scene)} {words.relation()} {words.thing(second)}", False


def _with_beside_it(words: _Words, second: Second) -> tuple[str, bool]:
    other = words.thing(second)
    text = f"{other} with {words.thing(words.scene)} {words.relation(BESIDE_IT)} {words.place()}"
    return _request(words, text), True


def _and_beside_it(words: _Words, second: Second) -> tuple[str, bool]:
    """ "a red circle and below it a blue square"."""
    words.mentions.add("relation")
    where = words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    joint = pick(words.rng, (" and ", ", ", ", and ", " with "))
    order = pick(words.rng, ("{where} {other}", "{other} {where}", "{where} is {other}"))
    first = words.thing(words.scene)
    return f"{first}{joint}{order.format(where=where, other=words.thing(second))} {words.place()}", False


def _sides(words: _Words, second: Second) -> tuple[str, bool]:
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


def _together(words: _Words, second: Second) -> tuple[str, bool]:
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
    return _request(words, f"{joined} {words.place()}"), turned


def _two_shapes(words: _Words, second: Second) -> tuple[str, bool]:
    text, turned = pick(words.rng, (_related, _sides, _together))(words, second)
    return f"{pick(words.rng, ('two shapes: ', 'two objects, ', 'there are two shapes, '))}{text}", turned


def _where_is(words: _Words, second: Second) -> tuple[str, bool]:
    """ "above a blue square there is a red circle"."""
    is_ = pick(words.rng, (" there is", " is", ",", ":", " sits"))
    return f"{words.relation()} {words.thing(second)}{is_} {words.thing(words.scene)} {words.place()}", True


def _placed(words: _Words, second: Second) -> tuple[str, bool]:
    """ "put a red circle above a blue square"."""
    start = pick(words.rng, ("put", "place", "draw", "show", "i see", "you see", "here is", "we want"))
    first, relation, other = words.thing(words.scene), words.relation(), words.thing(second)
    return f"{start} {first} {relation} {other} {words.place()}", False


def _sides_of_it(words: _Words, second: Second) -> tuple[str, bool]:
    """ "a red circle and a blue square, the circle is on the left"."""
    words.mentions.add("relation")
    first, other = words.thing(words.scene), words.thing(second)
    about_first = words.chance(0.5)
    which, relation = (first, second.relation) if about_first else (other, OPPOSITES[second.relation])
    noun = which.split(" ", 1)[-1]
    side = words.choose(SIDE_PHRASES[relation])
    joint = pick(words.rng, (" and ", " with ", ", "))
    return f"{first}{joint}{other} {words.place()}, the {noun} is {side}", False


def _has(words: _Words, second: Second) -> tuple[str, bool]:
    """ "a blue square has a red circle above it"."""
    return (
        f"{words.thing(second)} has {words.thing(words.scene)} {words.relation(BESIDE_IT)} {words.place()}",
        True,
    )


def _has_turned(words: _Words, second: Second) -> tuple[str, bool]:
    """ "a red circle with a blue square below it"."""
    words.mentions.add("relation")
    first, where = words.thing(words.scene), words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    return f"{first} with {words.thing(second)} {where} {words.place()}", False


def _and_also(words: _Words, second: Second) -> tuple[str, bool]:
    """ "there is a red circle. below it there is a blue square"."""
    words.mentions.add("relation")
    where = words.choose(BESIDE_IT[OPPOSITES[second.relation]])
    first = words.thing(words.scene)
    joint = pick(words.rng, (". ", ", ", " and "))
    return f"there is {first} {words.place()}{joint}{where} there is {words.thing(second)}", False


def _lies(words: _Words, second: Second) -> tuple[str, bool]:
    first = words.thing(words.scene)
    return (
        f"{words.thing(second)} lies {words.place()}, {first} can be found {words.relation(BESIDE_IT)}",
        True,
    )


def _look(words: _Words, second: Second) -> tuple[str, bool]:
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


def _request(words: _Words, noun: str) -> str:
    """Put a request around a noun and what belongs to it, now and then."""
    return pick(words.rng, REQUESTS).format(noun) if words.chance(SHARE_OF_REQUESTS) else noun


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


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
