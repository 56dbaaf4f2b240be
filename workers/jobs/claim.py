"""Claims of idempotency keys, written in the transaction of the change that they stand for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

LIFETIME_S = 86_400


@dataclass(frozen=True)
class Claim:
    """A key of Redis that will name the job of a request for 24 hours; `request` is the request's digest."""

    key: str
    request: str

    def content(self, job_id: str) -> str:
        """Write what the key holds once the request is carried out."""
        return json.dumps({"request": self.request, "job": job_id})


@dataclass(frozen=True)
class Claimed:
    """What a claimed key holds."""

    request: str
    job_id: str

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `Claim.content` wrote."""
        fields = json.loads(content)
        return cls(fields["request"], fields["job"])
