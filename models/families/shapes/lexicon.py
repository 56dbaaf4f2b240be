"""The words of moving shapes: how people name what a scene has. Free of torch.

The first word of a meaning is the canonical one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Words = Mapping[str, tuple[str, ...]]

SHAPE_NOUNS: Words = {
    "circle": ("circle", "ball", "disc", "disk", "dot", "sphere", "round shape", "circular shape"),
    "square": ("square", "box", "block", "cube", "square shape", "tile"),
    "triangle": ("triangle", "triangular shape", "pyramid", "wedge"),
    "cross": ("cross", "plus sign", "plus", "cross shape", "plus symbol", "plus shape"),
}

ANY_SHAPE = ("shape", "object", "thing", "figure", "form")
"""Nouns for a shape that is not named."""

COLOUR_WORDS: Words = {
    "red": ("red", "crimson", "scarlet", "bright red", "ruby", "cherry red"),
    "green": ("green", "emerald", "dark green", "grass green", "emerald green"),
    "blue": ("blue", "navy", "royal blue", "dark blue", "navy blue", "cobalt"),
    "yellow": ("yellow", "golden", "lemon yellow", "bright yellow", "gold"),
    "purple": ("purple", "violet", "lilac", "plum", "mauve", "lavender"),
    "orange": ("orange", "tangerine", "bright orange", "amber"),
    "cyan": ("cyan", "turquoise", "teal", "aqua", "aquamarine"),
}

BACKGROUND_WORDS: Words = {
    "white": ("white", "plain white", "snow white", "pure white"),
    "gray": ("gray", "grey", "silver", "plain gray", "plain grey", "medium gray", "medium grey"),
    "black": ("black", "jet black", "dark", "pitch black"),
    "pink": ("pink", "rose", "light pink", "pale pink", "rosy"),
    "light blue": ("light blue", "pale blue", "sky blue", "baby blue", "sky-blue", "light-blue"),
}

BACKGROUND_NOUNS = ("background", "backdrop", "canvas", "surface", "screen", "bg", "wall", "ground")

SIZE_WORDS: Words = {
    "small": ("small", "little", "tiny", "mini"),
    "large": ("large", "big", "huge", "giant"),
}


@dataclass(frozen=True)
class Verb:
    """A verb in the forms that captions need: "move", "moves", "moving"."""

    base: str
    does: str
    doing: str


def _verbs(*stems: str) -> tuple[Verb, ...]:
    """Make verbs of "base -s -ing" triples that share what follows: "go goes going to rest"."""
    verbs = []
    for stem in stems:
        base, does, doing, *rest = stem.split(" ")
        verbs.append(Verb(*(" ".join((form, *rest)) for form in (base, does, doing))))
    return tuple(verbs)


MOVE = _verbs(
    "move moves moving",
    "go goes going",
    "slide slides sliding",
    "glide glides gliding",
    "drift drifts drifting",
    "travel travels traveling",
    "travel travels travelling",
    "head heads heading",
    "fly flies flying",
    "float floats floating",
    "shift shifts shifting",
    "roll rolls rolling",
    "run runs running",
)
"""Verbs that a direction follows."""

DIRECTION_PHRASES: Words = {
    "moving right": (
        "right",
        "to the right",
        "rightwards",
        "rightward",
        "towards the right",
        "from left to right",
        "toward the right side",
        "to the right side",
    ),
    "moving left": (
        "left",
        "to the left",
        "leftwards",
        "leftward",
        "towards the left",
        "from right to left",
        "toward the left side",
        "to the left side",
    ),
    "moving up": (
        "up",
        "upwards",
        "upward",
        "to the top",
        "towards the top",
        "from bottom to top",
        "from the bottom to the top",
    ),
    "moving down": (
        "down",
        "downwards",
        "downward",
        "to the bottom",
        "towards the bottom",
        "from top to bottom",
        "from the top to the bottom",
    ),
}

MOTION_VERBS: Mapping[str, tuple[Verb, ...]] = {
    "moving up": _verbs(
        "rise rises rising", "climb climbs climbing", "ascend ascends ascending", "rise rises rising up"
    ),
    "moving down": _verbs(
        "fall falls falling",
        "drop drops dropping",
        "sink sinks sinking",
        "descend descends descending",
        "fall falls falling down",
    ),
    "standing still": _verbs(
        "stand stands standing still",
        "stay stays staying still",
        "rest rests resting",
        "stay stays staying in place",
        "remain remains remaining still",
        "stay stays staying where it is",
        "sit sits sitting still",
        "hold holds holding still",
        "keep keeps keeping still",
        "stay stays staying put",
    ),
    "growing": _verbs(
        "grow grows growing",
        "get gets getting bigger",
        "get gets getting larger",
        "expand expands expanding",
        "become becomes becoming bigger",
        "become becomes becoming larger",
        "increase increases increasing in size",
        "swell swells swelling",
        "grow grows growing larger",
        "grow grows growing bigger",
        "inflate inflates inflating",
    ),
    "shrinking": _verbs(
        "shrink shrinks shrinking",
        "get gets getting smaller",
        "contract contracts contracting",
        "become becomes becoming smaller",
        "decrease decreases decreasing in size",
        "shrink shrinks shrinking down",
        "diminish diminishes diminishing",
        "deflate deflates deflating",
    ),
}
"""Verbs that say a motion by themselves."""

STATES: Words = {
    "standing still": (
        "standing still",
        "at rest",
        "not moving",
        "motionless",
        "stationary",
        "that does not move",
        "that doesn't move",
        "that isn't moving",
        "without moving",
        "without any motion",
        "still",
        "static",
        "immobile",
        "frozen in place",
    ),
}
"""Phrases behind a noun, where there is no verb."""

ADJECTIVES: Words = {
    "standing still": ("still", "stationary", "motionless", "static", "resting", "unmoving"),
    "growing": ("growing", "expanding"),
    "shrinking": ("shrinking", "contracting"),
    "moving up": ("rising", "ascending"),
    "moving down": ("falling", "sinking", "descending"),
}
"""Words for a motion before a noun."""

RELATION_PHRASES: Words = {
    "above": ("above", "over", "on top of", "higher than"),
    "below": ("below", "under", "beneath", "underneath"),
    "left of": ("left of", "to the left of", "on the left of", "on the left side of"),
    "right of": ("right of", "to the right of", "on the right of", "on the right side of"),
}

BESIDE_IT: Words = {
    "above": ("above it", "over it", "on top of it"),
    "below": ("below it", "under it", "beneath it", "underneath it"),
    "left of": ("to its left", "on its left", "left of it", "to the left of it"),
    "right of": ("to its right", "on its right", "right of it", "to the right of it"),
}
"""Where another shape is, seen from the one that was named last."""

SIDE_PHRASES: Words = {
    "above": ("at the top", "on top", "up top", "in the upper half"),
    "below": ("at the bottom", "below", "down below", "in the lower half"),
    "left of": ("on the left", "at the left", "on the left side", "to the left"),
    "right of": ("on the right", "at the right", "on the right side", "to the right"),
}
"""The part of the picture where the first shape is by its relation."""

ABREAST = ("next to", "beside", "by", "alongside", "close to", "near")
"""Beside each other, on whichever side."""

ABREAST_TOGETHER = ("side by side", "next to each other", "beside each other")
