"""What a check of the machine found, in words for the person who runs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """OK, NOTE (not needed by everybody) or WRONG."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at, in a word or two.
        text: how it is.
        remedy: what to do, for what is wrong.
    """

    state: State
    subject: str
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(State.OK, subject, text)


def note(subject: str, text: str) -> Finding:
    return Finding(State.NOTE, subject, text)


def wrong(subject: str, text: str, remedy: str) -> Finding:
    return Finding(State.WRONG, subject, " ".join(text.split()), remedy)
