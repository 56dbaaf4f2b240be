"""The kinds of text and numbers that requests hold, with what is refused in them."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints


def _check_text(value: object) -> object:
    """Refuse what no prompt holds: control characters, and halves of surrogate pairs."""
    if isinstance(value, str):
        if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
            raise ValueError("is not valid Unicode text")
        if any(ord(char) < 32 and char not in "\t\n\r" for char in value):
            raise ValueError("must not hold control characters")
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
