"""The tree at the top of `errors.py` is the tree of the classes."""

from __future__ import annotations

import re

from cascade.workers import errors


def drawn_tree() -> dict[str, str]:
    """The parent of each class in the picture, by its indentation."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+)(  .*)?$", line)
        if match:
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            if depth:
                parents[match[2]] = path[depth - 1]
    return parents


def test_the_tree_is_as_it_is_drawn() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert drawn_tree() == {
        kind.__name__: kind.__bases__[0].__name__ for kind in classes if kind is not errors.WorkerError
    }
