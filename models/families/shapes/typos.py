"""Typing errors: a neighbouring key, a letter left out, doubled, or swapped with the next. Free of torch."""

from __future__ import annotations

import re

import numpy as np

KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SHORTEST_WORD = 4
"""Shorter words are left alone: with another letter most of them are other words."""


def neighbours(letter: str) -> str:
    """Return the letters of the keys beside, above and below that of a lower-case letter."""
    for row, keys in enumerate(KEYBOARD):
        if (column := keys.find(letter)) >= 0:
            around = [keys[place] for place in (column - 1, column + 1) if 0 <= place < len(keys)]
            for other in (row - 1, row + 1):
                if 0 <= other < len(KEYBOARD):
                    line = KEYBOARD[other]
                    shift = column if other > row else column + 1
                    around += [line[place] for place in (shift - 1, shift) if 0 <= place < len(line)]
            return "".join(around)
    return ""


def mistype(text: str, rng: np.random.Generator) -> str:
    """Return the text with one typing error in one of its longer words; as it is where it has none."""
    words = [match for match in re.finditer(r"[a-z]+", text) if len(match.group()) >= SHORTEST_WORD]
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    place = word.start() + int(rng.integers(len(word.group()) - 1))
    letter, after = text[place], text[place + 1]
    match int(rng.integers(4)):
        case 0:
            keys = neighbours(letter)
            return text[:place] + keys[int(rng.integers(len(keys)))] + text[place + 1 :]
        case 1:
            return text[:place] + text[place + 1 :]
        case 2:
            return text[:place] + letter + text[place:]
        case _:
            return text[:place] + after + letter + text[place + 2 :]
