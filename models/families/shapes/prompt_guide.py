"""What the small cascade understands of a prompt, judged by the words of its captions. Free of torch.

A prompt is read phrase by phrase, as `lexicon.py` names things; a word that is not there counts as the most similar one that is,
if it is a typing error away. Told is what is left over, what contradicts itself, and what no scene of moving shapes can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

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
    Words,
)

SHORTEST_MISTYPED = 4
SIMILARITY, SIMILARITY_OF_FILLERS = 0.75, 0.8
"""From this ratio of difflib on, an unknown word is taken for a mistyped one: for one that tells something, or for a filler."""
MOST_NAMED = 5
"""Of the words that are not known, as many are named."""

FILLERS = """a an the this that it its itself which there here is are was be being please thanks thank you show showing shows me us i
we want wants to like would see can could make makes making made of for with in on at and as while then also just only one single
two video videos clip clips animation animated animate movie scene gif picture image film short simple flat plain generate
create created draw drawing render give let have has watch put place placed standing sitting lies lying found over against
front behind where when very slowly slow quickly fast gently smoothly smooth nice my your do does some side half part color
colored colour coloured motion direction way across through other each both pair upper lower shapes objects things figures
forms move moves moving go goes going movement sits look find top bottom middle center centre something anything nothing else any all at
every exactly directly than hi hello hey pls plz ok from has imagine you're it's i'd seen looks like pair"""
"""Words that say nothing of a scene by themselves."""

MOVING = ("move", "moves", "moving", "movement", "motion", "go", "going")
"""What a negation before makes a shape stand still."""
COUNTS = [
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "several",
    "many",
    "multiple",
    "lots",
    "few",
    "dozen",
]
COLOUR_KINDS = ("colour", "background", "other colour")
NEGATIONS = ("not", "no", "without", "never", "isn't", "doesn't", "don't")
OTHER_COLOURS = (
    "white",
    "black",
    "pink",
    "gray",
    "grey",
    "brown",
    "silver",
    "magenta",
    "beige",
    "maroon",
    "light blue",
)
"""Colours that no shape has; some of them backgrounds have."""


@dataclass(frozen=True)
class Token:
    """A phrase of a prompt: `kind` is an attribute, "noun" of a background, "filler", "count", "negation" or "unknown"."""

    kind: str
    meaning: str
    text: str


@dataclass
class Thing:
    """A shape that a prompt names, and what is said of it."""

    shape: str
    colours: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)


@dataclass
class Reading:
    """What was read from a prompt, in its order."""

    things: list[Thing] = field(default_factory=list)
    motions: list[str] = field(default_factory=list)
    directions: list[str] = field(default_factory=list)
    backgrounds: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def _phrases() -> Iterator[tuple[str, str, str]]:
    """Yield every phrase with its kind and meaning; later ones stand over earlier ones."""
    yield from (("filler", word, word) for word in FILLERS.split())
    yield from (("negation", word, word) for word in NEGATIONS)
    yield from (("count", word, word) for word in COUNTS)
    yield from (("direction", motion, words[0]) for motion, words in DIRECTION_PHRASES.items())
    yield from (("other colour", word, word) for word in OTHER_COLOURS)
    tables: tuple[tuple[str, Words], ...] = (
        ("relation", BESIDE_IT),
        ("relation", SIDE_PHRASES),
        ("relation", RELATION_PHRASES),
        ("size", SIZE_WORDS),
        ("motion", ADJECTIVES),
        ("motion", STATES),
        ("shape", SHAPE_NOUNS),
        ("colour", COLOUR_WORDS),
    )
    for kind, table in tables:
        yield from ((kind, meaning, phrase) for meaning, phrases in table.items() for phrase in phrases)
    yield from (("shape", "", noun) for noun in ANY_SHAPE)
    yield from (
        ("shapes", shape, f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s")
        for shape, nouns in SHAPE_NOUNS.items()
        for noun in nouns
    )
    yield from (
        ("background", meaning, word) for meaning, words in BACKGROUND_WORDS.items() for word in words
    )
    yield from (("noun", "background", noun) for noun in BACKGROUND_NOUNS)
    yield from (("relation", "beside", phrase) for phrase in (*ABREAST, *ABREAST_TOGETHER))
    for motion, verbs in MOTION_VERBS.items():
        for verb in verbs:
            yield from (("motion", motion, form) for form in (verb.base, verb.does, verb.doing))
    for motion, directions in DIRECTION_PHRASES.items():
        for verb in MOVE:
            forms = (verb.base, verb.does, verb.doing)
            yield from (("motion", motion, f"{form} {phrase}") for phrase in directions for form in forms)
    yield from (("motion", "", form) for verb in MOVE[2:] for form in (verb.base, verb.does, verb.doing))


PHRASES: Mapping[tuple[str, ...], Token] = {
    tuple(re.findall(r"[a-z']+", text)): Token(kind, meaning, text) for kind, meaning, text in _phrases()
}
LONGEST = max(map(len, PHRASES))
KNOWN_WORDS = {word for phrase in PHRASES for word in phrase if len(word) >= SHORTEST_MISTYPED}
TELLING_WORDS = sorted(
    {
        word
        for phrase, token in PHRASES.items()
        for word in phrase
        if token.kind not in ("filler", "count", "negation") and len(word) >= SHORTEST_MISTYPED
    }
)
LONG_FILLERS = sorted(word for word in FILLERS.split() if len(word) > SHORTEST_MISTYPED)


class ShapesGuide:
    """The `models.prompt_guide.PromptGuide` of presets of moving shapes."""

    vocabulary: Mapping[str, tuple[str, ...]] = {
        "shape": tuple(SHAPE_NOUNS),
        "colour": tuple(COLOUR_WORDS),
        "background": tuple(BACKGROUND_WORDS),
        "motion": (*DIRECTION_PHRASES, "standing still", "growing", "shrinking"),
        "relation": (*RELATION_PHRASES, "next to"),
        "size": tuple(SIZE_WORDS),
    }

    def doubts(self, prompt: str) -> tuple[str, ...]:
        """Return a sentence for each thing in a prompt that moving shapes will not show."""
        if not prompt.strip():
            return ()
        return tuple(_doubts(read(prompt)))


GUIDE = ShapesGuide()


def read(prompt: str) -> Reading:
    """Read which shapes, motions and backgrounds a prompt names."""
    tokens = tuple(_tokens(prompt))
    reading, colours, sizes = Reading(), list[Token](), list[str]()
    for number, token in enumerate(tokens):
        before = tokens[max(number - 2, 0) : number]
        after = tokens[number + 1].kind if number + 1 < len(tokens) else ""
        match token.kind:
            case "colour" | "background" | "other colour":
                if not _belongs_to_what_is_before(reading, token, before, after):
                    colours.append(token)
            case "size":
                sizes.append(token.meaning)
            case "shape" | "shapes":
                thing = Thing(token.meaning, [_colour(reading, colour) for colour in colours], sizes)
                if not _is_named_again(thing, reading, tokens[:number]):
                    reading.things.append(thing)
                colours, sizes = [], []
                if token.kind == "shapes":
                    reading.doubts.append(
                        f'"{token.text}" are more than one; name each shape by itself, two at most'
                    )
            case "motion":
                reading.motions += [token.meaning] if token.meaning else []
            case "count":
                reading.doubts.append(f'"{token.text}": a video has one shape, or two')
            case "direction":
                reading.directions.append(token.meaning)
            case "negation" if any(near.text in MOVING for near in tokens[number + 1 : number + 4]):
                reading.motions.append("standing still")
            case "negation":
                reading.doubts.append(f'it does not understand "{token.text}" here; say what there is')
            case "unknown":
                reading.unknown.append(token.text)
        if token.kind in ("noun", "motion", "relation"):
            _settle(reading, colours, to_background=token.kind == "noun")
            colours = []
    _settle(reading, colours, to_background=False)
    return reading


def _is_named_again(thing: Thing, reading: Reading, before: tuple[Token, ...]) -> bool:
    """Return whether a shape is one that was named before: "a red circle and a blue square, the circle is on the left"."""
    words = [token.text for token in before if token.kind not in (*COLOUR_KINDS, "size")]
    return words[-1:] == ["the"] and any(
        thing.shape == other.shape and set(thing.colours) <= set(other.colours) for other in reading.things
    )


def _belongs_to_what_is_before(reading: Reading, token: Token, before: tuple[Token, ...], after: str) -> bool:
    """Give a colour to what its preposition names: "a circle in red", "a circle that is red", "on pink", "background: gray"."""
    if not before or after in ("shape", "shapes", "noun"):
        return False
    word, last = before[-1], reading.things[-1] if reading.things else None
    is_of_background = word.text == "is" and (last is None or before[0].kind == "noun")
    on_it = word.text in ("on", "against", "over") and after not in COLOUR_KINDS
    if word.kind == "noun" or on_it or is_of_background:
        _take_background(reading, token)
        return True
    if word.text in ("in", "is") and last is not None and not last.colours:
        last.colours.append(_colour(reading, token))
        return True
    return False


def _settle(reading: Reading, colours: list[Token], *, to_background: bool) -> None:
    """Give colours that no shape follows to the background, or to the shape before, if it has none yet."""
    last = reading.things[-1] if reading.things else None
    for token in colours:
        if to_background or token.kind == "background" or last is None or last.colours:
            _take_background(reading, token)
        else:
            last.colours.append(_colour(reading, token))


def _take_background(reading: Reading, token: Token) -> None:
    reading.backgrounds.append(token.meaning)
    if token.kind != "background":
        reading.doubts.append(
            f'a background cannot be "{token.text}"; it can be {_listed(tuple(BACKGROUND_WORDS))}'
        )


def _colour(reading: Reading, token: Token) -> str:
    if token.kind != "colour":
        reading.doubts.append(f'a shape cannot be "{token.text}"; it can be {_listed(tuple(COLOUR_WORDS))}')
    return token.meaning


def _tokens(prompt: str) -> Iterator[Token]:
    """Split a prompt into the longest phrases that are known."""
    words = re.findall(
        r"[a-z]+(?:'[a-z]+)?|[0-9]+|[^\W\d_]+", prompt.lower().replace("\u2019", "'").replace("-", " ")
    )
    words = [_corrected(word) for word in words]
    place = 0
    while place < len(words):
        for length in range(min(LONGEST, len(words) - place), 0, -1):
            token = PHRASES.get(tuple(words[place : place + length]))
            if token is not None:
                yield token
                place += length
                break
        else:
            word = words[place]
            yield Token(
                "count"
                if word.isdigit() and int(word) > 2
                else "filler"
                if word in ("1", "2")
                else "unknown",
                word,
                word,
            )
            place += 1


def _kind_of_unknown(word: str) -> str:
    if word.isdigit():
        return "filler" if word in ("1", "2") else "count"
    return "unknown"


def _corrected(word: str) -> str:
    """Return the word that a mistyped one stands for; others as they are."""
    if len(word) < SHORTEST_MISTYPED or (word,) in PHRASES or word in KNOWN_WORDS:
        return word
    for words, similarity in ((TELLING_WORDS, SIMILARITY), (LONG_FILLERS, SIMILARITY_OF_FILLERS)):
        alike = get_close_matches(
            word, [known for known in words if abs(len(known) - len(word)) < 2], 1, similarity
        )
        if alike:
            return alike[0]
    return word


def _doubts(reading: Reading) -> Iterator[str]:
    if reading.unknown:
        names = [f'"{word}"' for word in dict.fromkeys(reading.unknown)]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield (
            f"this model does not know {', '.join(names[:MOST_NAMED])}{more}; it knows circles, squares, "
            "triangles and crosses: one that moves, grows, shrinks or stands still, or two that stand still"
        )
    yield from dict.fromkeys(reading.doubts)
    for thing in reading.things:
        if len(set(thing.colours)) > 1:
            yield f"one shape has one colour, not {_listed(tuple(dict.fromkeys(thing.colours)))}"
        if len(set(thing.sizes)) > 1:
            yield "a shape cannot be small and large"
    if len(set(reading.backgrounds)) > 1:
        yield f"there is one background, not {_listed(tuple(dict.fromkeys(reading.backgrounds)))}"
    # Of two shapes, "left" and "right" say where they are.
    motions = tuple(dict.fromkeys(reading.motions + reading.directions * (len(reading.things) < 2)))
    if len(motions) > 1:
        yield f"a shape does one thing at a time, not {_listed(motions)}"
    if len(reading.things) > 2:
        yield f"{len(reading.things)} shapes are named; a video has one, or two"
    if len(reading.things) == 2:
        if any(motion != "standing still" for motion in motions):
            yield f"two shapes always stand still; it cannot show {_listed(motions)}"
        first, second = (thing.colours[:1] for thing in reading.things)
        if first and first == second:
            yield f"two shapes always have different colours, not {first[0]} both"


def _listed(words: tuple[str, ...]) -> str:
    """Join words: "a, b or c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
