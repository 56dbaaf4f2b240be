"""Idempotency keys: the same request sent twice is carried out once, also when both come at the same moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Header

from cascade.workers.errors import AlreadyClaimed, JobNotFound
from cascade.workers.jobs.claim import Claim, Claimed
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.store import JobStore
from cascade.workers.keys import idempotency_key

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="The same key and request are carried out once in 24 h; later ones get the same video.",
    ),
]


class IdempotencyConflict(Exception):
    """The key was used with another request."""


def carry_out_once(
    act: Callable[[Claim | None], Job], jobs: JobStore, project: str, key: str | None, request: str
) -> Job:
    """Carry a request out, unless it came with the same key within 24 hours: then return that one's job as it is.

    Args:
        act: writes the claim that it is given in the same transaction as what it does.
        key: None carries the request out in any case.
        request: its words; two requests are the same if these are.
    Raises:
        IdempotencyConflict: the key came with another request.
        JobNotFound: the key's job was deleted.
        Exception: what `act` raises; the key is free then.
    """
    if key is None:
        return act(None)
    claim = Claim(idempotency_key(project, _digest(key)), _digest(request))
    claimed = jobs.claimed(claim)
    if claimed is None:
        try:
            return act(claim)
        except AlreadyClaimed as error:  # by another at the same moment
            claimed = error.claimed
    return _claimed_job(claimed, claim, key, jobs)


def _claimed_job(claimed: Claimed, claim: Claim, key: str, jobs: JobStore) -> Job:
    if claimed.request != claim.request:
        raise IdempotencyConflict(f'Idempotency-Key "{key}" was used with another request')
    job = jobs.get(claimed.job_id)
    if job is None:
        raise JobNotFound(claimed.job_id)
    return job


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
