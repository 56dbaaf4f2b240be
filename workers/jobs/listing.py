"""Searches in a project's list of jobs, by words of the prompt, by status and by preset.

Beside the list stands a hash with a short entry for each job, so that a search reads no records. An entry is written in the
transaction that creates its job or changes its status. What a search finds is checked against the record all the same: an
entry may be of a moment ago, or be missing where an earlier version made the job.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cascade.workers.jobs.record import Job, JobStatus
from cascade.workers.keys import jobs_key, listing_key
from cascade.workers.redis_client import RedisClient, load_script

LOOK = 5_000
"""Entries that Redis looks at in one go, which takes some milliseconds."""
STEP = 500
"""Entries that it reads at once, as most searches find enough in the newest ones."""


@dataclass(frozen=True)
class JobFilter:
    """What jobs of a list are asked for; empty parts ask for nothing.

    Attributes:
        text: a part of the prompt, in any case and with any white space.
        statuses: any of these.
        preset: its name.
    """

    text: str = ""
    statuses: frozenset[JobStatus] = frozenset()
    preset: str = ""

    @property
    def takes_all(self) -> bool:
        """Return whether every job passes."""
        return not (fold(self.text) or self.statuses or self.preset)

    def takes(self, job: Job) -> bool:
        """Return whether a job passes."""
        request = job.request
        return (
            fold(self.text) in fold(request.prompt)
            and (not self.statuses or job.status in self.statuses)
            and (not self.preset or request.preset == self.preset)
        )


ALL_JOBS = JobFilter()


@dataclass(frozen=True, order=True)
class Place:
    """Where a job stands in the list, also when it is deleted; jobs of the same moment are in the order of their ids."""

    created_at: float
    job_id: str


@dataclass(frozen=True)
class Found:
    """What one look at a part of the list found.

    Attributes:
        places: of the jobs that may pass, in the list's order.
        unlisted: those of them without an entry.
        looked: how many entries it looked at.
        last: the place that the next look goes on after; None at the end of the list.
    """

    places: tuple[Place, ...]
    unlisted: frozenset[str]
    looked: int
    last: Place | None

    @classmethod
    def parse(cls, answer: tuple[list[list[bytes]], int, list[bytes]]) -> Self:
        """Read what `jobs/find_jobs.lua` returns."""
        rows, looked, last = answer
        places = tuple(Place(float(score), job_id.decode()) for job_id, score, _ in rows)
        unlisted = frozenset(job_id.decode() for job_id, _, listed in rows if listed == b"0")
        return cls(places, unlisted, looked, Place(float(last[1]), last[0].decode()) if last else None)


class Listing:
    """The lists of all projects."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        self._find = load_script(redis, "jobs/find_jobs.lua")

    def find(
        self, project: str, only: JobFilter, after: Place | None, count: int, *, newest_first: bool
    ) -> Found:
        """Find up to `count` jobs behind a place, or from the beginning, among the next LOOK of the list."""
        where: list[str | int] = ["", ""] if after is None else [repr(after.created_at), after.job_id]
        looks = [count, LOOK, count if only.takes_all else STEP]
        filters: list[str | int] = [int(only.takes_all), fold(only.text), only.preset, *only.statuses]
        answer = self._find(
            keys=[jobs_key(project), listing_key(project)],
            args=[int(newest_first), *where, *looks, *filters],
        )
        return Found.parse(answer)

    def add_missing(self, project: str, jobs: Iterable[Job]) -> None:
        """Write the entries of jobs that have none."""
        with self.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hsetnx(listing_key(project), job.id, entry_of(job))
            pipe.execute()  # nothing is sent where there are none


def entry_of(job: Job) -> str:
    """Write what a search needs of a job: `{status} {preset} {folded prompt}`."""
    return f"{job.status} {job.request.preset} {fold(job.request.prompt)}"


def fold(text: str) -> str:
    """Write a text so that those that differ in case, composition of characters or white space alone are the same."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())
