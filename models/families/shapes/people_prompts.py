"""Prompts as different people wrote them, and what each of them says. Free of torch.

Written for evaluation, apart from the captions of training. `people_prompts.json` holds those that the small cascade can fulfil,
ordinary ones of which it must not warn, and those of which it must.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Thing = tuple[str | None, str | None]
"""Colour and shape of an object; None is left open."""


@dataclass(frozen=True)
class Wish:
    """What a prompt says; all that is None is left open.

    Attributes:
        things: one object, or two.
        background, motion, size: as in `Scene`; motion and size are those of one object.
        relations: where the first object may be, seen from the second; empty is left open.
    """

    things: tuple[Thing, ...]
    background: str | None = None
    motion: str | None = None
    size: str | None = None
    relations: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, expected: Mapping[str, Any]) -> Wish:
        """Read the `expected` of a prompt."""
        kinds = ("", "second ")[: expected["objects"]]
        return cls(
            tuple((expected.get(f"{kind}colour"), expected.get(f"{kind}shape")) for kind in kinds),
            expected.get("background"),
            expected.get("motion"),
            expected.get("size"),
            tuple(expected.get("relation", ())),
        )


@dataclass(frozen=True)
class PersonsPrompt:
    """A prompt, what it says, and its kind, such as `typo`."""

    text: str
    kind: str
    wish: Wish


_STORED = json.loads((files(__package__) / "people_prompts.json").read_text(encoding="utf-8"))

UNDERSTOOD = tuple(
    PersonsPrompt(entry["prompt"], entry["kind"], Wish.from_json(entry["expected"]))
    for entry in _STORED["understood"]
)

BY_KIND: Mapping[str, tuple[PersonsPrompt, ...]] = {
    kind: tuple(prompt for prompt in UNDERSTOOD if prompt.kind == kind)
    for kind in dict.fromkeys(prompt.kind for prompt in UNDERSTOOD)
}

ORDINARY: tuple[str, ...] = tuple(_STORED["ordinary"])

NOT_UNDERSTOOD: tuple[str, ...] = tuple(entry["prompt"] for entry in _STORED["not understood"])

SPREAD_PROMPTS: tuple[tuple[str, Wish], ...] = (
    ("a red circle moving right on a gray background", Wish((("red", "circle"),), "gray", "moving right")),
    (
        "a green triangle moving up on a white background",
        Wish((("green", "triangle"),), "white", "moving up"),
    ),
    ("a blue square moving left on a pink background", Wish((("blue", "square"),), "pink", "moving left")),
    (
        "a purple cross moving down on a black background",
        Wish((("purple", "cross"),), "black", "moving down"),
    ),
    (
        "an orange circle moving right on a light blue background",
        Wish((("orange", "circle"),), "light blue", "moving right"),
    ),
)
"""Prompts whose videos are compared over many seeds: place, size and speed are left open."""
