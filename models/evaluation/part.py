"""Parts of a run, that processes share. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One of the parts of a run that processes share, each with its own file of samples: number 1 to `count`."""

    number: int = 1
    count: int = 1

    @property
    def samples(self) -> str:
        """The name of the part's file of samples."""
        return "samples.jsonl" if self.count == 1 else f"samples-{self.number}-of-{self.count}.jsonl"

    @classmethod
    def read(cls, text: str) -> Part:
        """Read "2/3". Raises ValueError for anything else than two numbers, the first from 1 to the second."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise ValueError(f'"{text}" is no part such as 1/2')
        return cls(int(number), int(count))


WHOLE = Part()
