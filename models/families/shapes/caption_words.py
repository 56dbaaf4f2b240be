"""The words of one caption: which attributes it mentions, and what they are called."""

from __future__ import annotations

import numpy as np

from cascade.models.families.shapes.lexicon import (
    ANY_SHAPE,
    BACKGROUND_NOUNS,
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    DIRECTION_PHRASES,
    MOTION_VERBS,
    MOVE,
    RELATION_PHRASES,
    SHAPE_NOUNS,
    SIZE_WORDS,
    STATES,
    Verb,
)
from cascade.models.families.shapes.lexicon import (
    Words as Phrases,
)
from cascade.models.families.shapes.scene import Scene, Second, pick

SHARE_OF_CANONICAL_WORDS = 0.4
"""Of the other captions' words; the rest are drawn evenly from all words of a meaning."""
SHARE_OF_NAMED_SIZES = 0.3
SHARE_OF_UNNAMED = 0.12
"""Of colours, shapes, motions and relations: they vary then. Backgrounds are left out twice as often."""
SHARE_OF_REQUESTS = 0.3

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


class Words:
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
        return f"the {noun}" if self.chance(0.08) else with_article(noun)

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
                f"on {with_article(f'{colour} {noun}')}",
                f"on {with_article(f'{colour} {noun}')}",
                f"against {with_article(f'{colour} {noun}')}",
                f"over {with_article(f'{colour} {noun}')}",
                f"in front of {with_article(f'{colour} {noun}')}",
                f"with {with_article(f'{colour} {noun}')}",
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

    def relation(self, phrases: Phrases = RELATION_PHRASES) -> str:
        """Draw a phrase for where the first shape is, seen from the second."""
        assert self.scene.second is not None
        self.mentions.add("relation")
        return self.choose(phrases[self.scene.second.relation])


def request(words: Words, noun: str) -> str:
    """Put a request around a noun and what belongs to it, now and then."""
    return pick(words.rng, REQUESTS).format(noun) if words.chance(SHARE_OF_REQUESTS) else noun


def with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
