"""Options of the command line that are written NAME=NUMBER."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def pairs(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Split each of `values`. Raises ValueError for one without `=`."""
    for value in values:
        name, separator, number = value.partition("=")
        if not separator:
            raise ValueError(f'"{value}" is not STAGE=NUMBER, such as keyframes=10')
        yield name, number
