"""Commands that Redis carries out together, if the record that they follow from is still what was read."""

from __future__ import annotations


class Transaction:
    """Commands in order, for `jobs/commit.lua`."""

    def __init__(self) -> None:
        self.words: list[str | bytes | int | float] = []

    def add(self, *words: str | bytes | float) -> None:
        """Add a command, such as `add("ZREM", key, member)`."""
        self.words += [len(words), *words]
