"""Captions of scenes of moving shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cascade.models.families.shapes.scene import Scene, Second, pick

SHARE_OF_CANONICAL_CAPTIONS = 0.5

SHARE_OF_NAMED_SIZES = 0.3

MOTION_PHRASES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "moving right": (
        ("moving right", "moving to the right", "going right"),
        ("moves right", "goes to the right"),
    ),
    "moving left": (("moving left", "moving to the left", "going left"), ("moves left", "goes to the left")),
    "moving up": (("moving up", "moving upwards", "rising"), ("moves up", "rises")),
    "moving down": (("moving down", "moving downwards", "falling"), ("moves down", "falls")),
    "standing still": (("standing still", "at rest"), ("stands still", "does not move")),
    "growing": (("growing", "getting bigger"), ("grows", "gets bigger")),
    "shrinking": (("shrinking", "getting smaller"), ("shrinks", "gets smaller")),
}
"""Phrases for a motion: what the shape is doing, and what it does. The first is the canonical one."""

RELATION_PHRASES: Mapping[str, tuple[str, ...]] = {
    "above": ("above",),
    "below": ("below", "under"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
}
"""Phrases for a relation; the first is the canonical one."""


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """Describe a scene in one of several ways; every second time the canonical one, rarely with the size."""
    named = not scene.second and rng.random() < SHARE_OF_NAMED_SIZES
    thing = _with_article(f"{scene.size} {scene.colour} {scene.shape}" if named else _name(scene))
    background = f"a {scene.background} background"
    if rng.random() < SHARE_OF_CANONICAL_CAPTIONS:
        return f"{thing} {_phrases(scene)[0][0]} on {background}"
    being, does = (pick(rng, phrases) for phrases in _phrases(scene))
    return pick(
        rng,
        (
            f"{thing} {being} on {background}",
            f"{thing} {does} on {background}",
            f"on {background}, {thing} {does}",
            f"{background} with {thing} {being}",
            f"{thing} {being}",
        ),
    )


def canonical_caption(scene: Scene) -> str:
    """Return the caption to prompt with, such as "a red circle moving right on a gray background"."""
    return f"{_with_article(_name(scene))} {_phrases(scene)[0][0]} on a {scene.background} background"


def _name(thing: Scene | Second) -> str:
    return f"{thing.colour} {thing.shape}"


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _phrases(scene: Scene) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return phrases for what the first shape is doing, and for what it does: its motion, or its place beside the second."""
    if scene.second is None:
        return MOTION_PHRASES[scene.motion]
    other = _with_article(_name(scene.second))
    places = tuple(f"{phrase} {other}" for phrase in RELATION_PHRASES[scene.second.relation])
    return places, tuple(f"is {place}" for place in places)
