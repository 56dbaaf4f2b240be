"""The kinds of text and numbers that requests hold, with what is refused in them."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

LAYOUT = "\t\n\r"
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Letters and symbols that show nothing: fillers of Hangul, the empty Braille cell, and the null notehead."""


def fault_of(text: str) -> str | None:
    """Say what is wrong with a text of a request, as the end of a sentence; None if nothing is.

    Refused are halves of surrogate pairs, control characters other than tabs and line ends, and text that is not empty but
    shows nothing because of characters without width.
    """
    if text.isascii() and text.isprintable():
        return None
    categories = {unicodedata.category(char) for char in text if char not in LAYOUT}
    if "Cs" in categories:
        return "is not valid Unicode text"
    if "Cc" in categories:
        return "must not hold control characters"
    if text.strip() and not any(_is_visible(char) for char in text):
        return "must not hold invisible characters alone"
    return None


def _is_visible(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" and char not in BLANKS


def _check_text(value: object) -> object:
    fault = fault_of(value) if isinstance(value, str) else None
    if fault is not None:
        raise ValueError(fault)
    return value


def _check_not_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _check_finite(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be a finite number")
    return value


Text = Annotated[str, BeforeValidator(_check_text), StringConstraints(strip_whitespace=True, strict=True)]
PromptText = Annotated[
    Text, AfterValidator(_check_not_empty), Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})
]
MetadataText = Annotated[str, BeforeValidator(_check_text), StringConstraints(strict=True, max_length=512)]
Scale = Annotated[float, BeforeValidator(_check_finite)]
