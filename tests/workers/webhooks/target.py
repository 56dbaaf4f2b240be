"""A web server's answers, and what it received."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Target:
    """Stores what is sent to it, and answers with its codes in order, the last one again and again."""

    codes: list[int] = field(default_factory=lambda: [200])
    location: str | None = None
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self) -> int:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]


StartTarget = Callable[..., Target]
