"""Job records in Redis, and with each what follows from it: every write is one transaction.

A change carries a mark into the record. Where the answer of a transaction is lost and it is sent again, the mark tells
that it was carried out, and not another's change.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace

from redis.commands.core import Script

from cascade.workers.errors import (
    AlreadyClaimed,
    IllegalTransition,
    JobNotFound,
    QueueFull,
    QuotaExceeded,
    UnreadableRecord,
)
from cascade.workers.jobs.changes import changes, unschedule
from cascade.workers.jobs.claim import LIFETIME_S, Claim, Claimed
from cascade.workers.jobs.codec import load_job, project_of, version_of
from cascade.workers.jobs.events import announce
from cascade.workers.jobs.listing import ALL_JOBS, JobFilter, Listing, Place
from cascade.workers.jobs.record import Job
from cascade.workers.keys import (
    JOBS_DUE,
    OBJECTS_DUE,
    OPEN,
    STORED,
    deleted_key,
    deliveries_key,
    events_key,
    job_key,
    jobs_key,
    listing_key,
    open_key,
    preview_key,
)
from cascade.workers.queue.waiting import hold_for_worker, schedule
from cascade.workers.redis_client import RedisClient, load_script, server_time
from cascade.workers.settings import Settings
from cascade.workers.transaction import Transaction

logger = logging.getLogger(__name__)

MAX_WRITES = 8
UNMARKED = ""
DELETED_TTL_S = 86_400
MAX_DELETED = 10_000
MAX_LOOKED = 100_000
"""Jobs of a list that are looked at for one page; then it is returned as it is."""
MORE = 100
"""Records that are read at once, where the first did not do."""


def new_write() -> str:
    """Draw the mark of a change."""
    return secrets.token_hex(6)


class JobStore:
    """All reads and writes of job records. Reading raises UnreadableRecord for one that this version does not know."""

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        self.redis, self.settings = redis, settings
        self._commit = load_script(redis, "jobs/commit.lua")
        self._admit = load_script(redis, "jobs/commit.lua", needs_memory=True)
        self._listing = Listing(redis)

    def now(self) -> float:
        """Return Redis's time (Unix seconds): the one clock of all stored times."""
        return server_time(self.redis)

    def create(self, job: Job, claim: Claim | None = None) -> Job:
        """Write a new record, if there is room for the job, and let its stage wait.

        Args:
            claim: of the request's idempotency key, which stands for the job from then on.
        Raises:
            QueueFull, QuotaExceeded: say how much is allowed.
            AlreadyClaimed: the claim's key stands for a job.
        """
        job = replace(job, writes=(new_write(),))
        transaction = changes(None, job, self.settings, self.now)
        transaction.add("ZADD", jobs_key(job.project), job.created_at, job.id)
        answer = self._run(self._admit, job.id, job.project, b"", transaction, claim)
        stored = self.get(job.id) if answer == b"changed" else None
        if stored is not None and job.writes[0] in stored.writes:
            return stored  # carried out before; that answer was lost
        self._check(answer, job, claim)
        return job

    def get(self, job_id: str) -> Job | None:
        """Read a record; None if there is none."""
        stored = self.redis.get(job_key(job_id))
        return None if stored is None else load_job(stored)

    def get_all(self, job_ids: Iterable[str]) -> list[Job]:
        """Return those of several jobs that there are; one with an unreadable record is logged and left out."""
        keys = [job_key(job_id) for job_id in job_ids]
        jobs = []
        for stored in self.redis.mget(keys) if keys else []:
            try:
                jobs += [] if stored is None else [load_job(stored)]
            except UnreadableRecord as error:
                logger.warning("a job is left out: %s", error)
        return jobs

    def update(
        self,
        job_id: str,
        change: Callable[[Job], Job],
        *,
        claim: Claim | None = None,
        write: str | None = None,
        version: int | None = None,
    ) -> Job:
        """Apply a pure transition to the record as it is now, again if another writer was faster.

        Args:
            claim: of the request's idempotency key, which stands for the job from then on.
            write: the mark of this change, the same for every try of it; None draws one. A change that may as well be
                carried out twice has none (UNMARKED), and leaves room for the marks of others.
            version: change only a record that is stored in this version.
        Raises:
            JobNotFound: the job was deleted.
            IllegalTransition: `change` refused, or the record is of another version.
            AlreadyClaimed: the claim's key stands for a job.
        """
        write = new_write() if write is None else write
        return self._change(self._commit, job_id, change, claim, write, version)

    def reopen(self, job_id: str, change: Callable[[Job], Job], claim: Claim | None = None) -> Job:
        """Apply a transition that lets an ended job go on, if there is room for it.

        Raises:
            QueueFull, QuotaExceeded: say how much is allowed.
            JobNotFound, IllegalTransition, AlreadyClaimed: as `update`.
        """
        return self._change(self._admit, job_id, change, claim, new_write(), None)

    def claimed(self, claim: Claim) -> Claimed | None:
        """Read what the key of a claim stands for; None if it is free."""
        content = self.redis.get(claim.key)
        return None if content is None else Claimed.parse(content)

    def restore(self, job_id: str) -> Job | None:
        """Let the open stage of a job wait, or be recovered unless its worker lives; forget a job that is over.

        Returns:
            The job, if it goes on.
        """
        while (stored := self.redis.get(job_key(job_id))) is not None:
            job, transaction = load_job(stored), Transaction()
            goes_on = job.open_stage is not None
            now = self.now()
            schedule(transaction, None if goes_on else job, job if goes_on else None, now)
            if goes_on:
                hold_for_worker(transaction, job, now + self.settings.lease_s)
            if self._run(self._commit, job_id, job.project, stored, transaction) == b"ok":
                return job if goes_on else None
        self._forget(job_id)
        return None

    def version(self, job_id: str) -> int | None:
        """Return the version that a job's record is stored in; None if there is no such job."""
        stored = self.redis.get(job_key(job_id))
        return None if stored is None else version_of(stored)

    def delete(self, job_id: str) -> bool:
        """Remove the record, also one of an unknown version, and note that its bytes are to go.

        Returns:
            Whether there was one.
        """
        tried = False
        while (stored := self.redis.get(job_key(job_id))) is not None:
            tried = True
            if self._delete(job_id, stored):
                return True
        return tried

    def refuse(self, job_id: str) -> None:
        """Forget that a job whose record cannot be read is open, and delete it in time as if it ended now."""
        if self.redis.exists(job_key(job_id)):
            self.redis.zadd(JOBS_DUE, {job_id: self.now() + self.settings.result_ttl_s})
        self._forget(job_id)

    def log_delivery(self, job_id: str, entry: bytes, max_entries: int) -> None:
        """Add to the job's log of webhook deliveries. Raises JobNotFound if it was deleted meanwhile."""
        while True:
            stored = self.redis.get(job_key(job_id))
            if stored is None:
                raise JobNotFound(job_id)
            transaction = Transaction()
            transaction.add("RPUSH", deliveries_key(job_id), entry)
            transaction.add("LTRIM", deliveries_key(job_id), -max_entries, -1)
            if self._run(self._commit, job_id, project_of(stored), stored, transaction) == b"ok":
                return

    def deliveries(self, job_id: str) -> list[bytes]:
        """Return the log of webhook deliveries, oldest first."""
        entries: list[bytes] = self.redis.lrange(deliveries_key(job_id), 0, -1)
        return entries

    def page(
        self,
        limit: int,
        after: str | None = None,
        project: str = "default",
        *,
        newest_first: bool = True,
        only: JobFilter = ALL_JOBS,
    ) -> tuple[list[Job], str | None]:
        """Return the next `limit` jobs of a project's list that pass a filter, behind the job `after`.

        Returns:
            The jobs, and the id that the next page comes after, None where there are no more. Only a search through more than
            MAX_LOOKED jobs may return fewer of them before the end of the list.
        Raises:
            JobNotFound: `after` is not in the list, and was not for a day.
        """
        place = None if after is None else self._place_of(after, project)
        jobs: list[Job] = []
        looked, count = 0, limit + 1  # one more tells whether there is another page
        while True:
            found = self._listing.find(project, only, place, count, newest_first=newest_first)
            read = self.get_all(place.job_id for place in found.places)
            jobs += [job for job in read if only.takes(job)]
            self._listing.add_missing(project, (job for job in read if job.id in found.unlisted))
            if len(jobs) > limit:
                return jobs[:limit], jobs[limit - 1].id
            place, looked = found.last, looked + found.looked
            if place is None or looked >= MAX_LOOKED:
                return jobs, None if place is None else place.job_id
            count = max(count, MORE)

    def open_jobs(self) -> list[str]:
        """List the unfinished jobs of all projects, in no order."""
        return [job_id.decode() for job_id in self.redis.hkeys(OPEN)]

    def _change(
        self,
        script: Script,
        job_id: str,
        change: Callable[[Job], Job],
        claim: Claim | None,
        write: str,
        version: int | None,
    ) -> Job:
        while True:
            stored = self.redis.get(job_key(job_id))
            if stored is None:
                raise JobNotFound(job_id)
            if version not in (None, version_of(stored)):
                raise IllegalTransition(f"the record of job {job_id} is not of version {version}")
            before = load_job(stored)
            if write in before.writes:
                return before  # carried out before; that answer was lost
            job = change(before)
            if write != UNMARKED:
                job = replace(job, writes=(*before.writes[1 - MAX_WRITES :], write))
            answer = self._run(
                script, job_id, job.project, stored, changes(before, job, self.settings, self.now), claim
            )
            if answer == b"changed":
                continue
            self._check(answer, job, claim)
            return job

    def _run(
        self,
        script: Script,
        job_id: str,
        project: str,
        stored: bytes,
        transaction: Transaction,
        claim: Claim | None = None,
    ) -> bytes:
        settings = self.settings
        room: tuple[str | int, ...] = ("", "", "")
        if script is self._admit:
            room = (
                settings.max_active_jobs,
                settings.max_active_jobs_per_project,
                settings.max_stored_bytes_per_project,
            )
        key, content = ("", "") if claim is None else (claim.key, claim.content(job_id))
        answer: bytes = script(
            keys=[job_key(job_id), key, OPEN, open_key(project), STORED],
            args=[stored, content, LIFETIME_S, *room, project, *transaction.words],
        )
        return answer

    def _check(self, answer: bytes, job: Job, claim: Claim | None) -> None:
        settings = self.settings
        match answer:
            case b"changed":
                raise IllegalTransition(f"there is a job {job.id} already")
            case b"claimed":
                assert claim is not None
                claimed = self.claimed(claim)
                assert claimed is not None
                raise AlreadyClaimed(claimed)
            case b"full":
                raise QueueFull(
                    f"{settings.max_active_jobs} videos are under way, which is all this service takes; "
                    "try again later"
                )
            case b"quota":
                raise QuotaExceeded(
                    f"{settings.max_active_jobs_per_project} videos of this project are under way, "
                    "which is all it may have"
                )
            case b"storage":
                raise QuotaExceeded(
                    f"the videos of this project take more than the {settings.max_stored_bytes_per_project} bytes "
                    "that it may have; delete some"
                )

    def _delete(self, job_id: str, stored: bytes) -> bool:
        """Remove a record if it is still what was read; return whether it was."""
        now, transaction = self.now(), Transaction()
        project = project_of(stored)
        created_at = self.redis.zscore(jobs_key(project), job_id)
        transaction.add(
            *("DEL", job_key(job_id), events_key(job_id), deliveries_key(job_id), preview_key(job_id))
        )
        transaction.add("ZREM", jobs_key(project), job_id)
        transaction.add("HDEL", listing_key(project), job_id)
        transaction.add("ZADD", OBJECTS_DUE, now, job_id)
        transaction.add("ZADD", deleted_key(project), now if created_at is None else created_at, job_id)
        transaction.add("ZREMRANGEBYRANK", deleted_key(project), 0, -MAX_DELETED - 1)
        transaction.add("EXPIRE", deleted_key(project), DELETED_TTL_S)
        transaction.add("HDEL", OPEN, job_id)
        transaction.add("SREM", open_key(project), job_id)
        unschedule(transaction, job_id)
        announce(transaction, job_id)
        try:
            job = load_job(stored)
        except UnreadableRecord:
            logger.warning("job %s is deleted unread", job_id)
        else:
            schedule(transaction, job, None, now)
            transaction.add("HINCRBY", STORED, project, -job.stored_bytes)
        return self._run(self._commit, job_id, project, stored, transaction) == b"ok"

    def _forget(self, job_id: str) -> None:
        """Forget that a job is open which has no record, or none that can be read."""
        place = self.redis.hget(OPEN, job_id)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(OPEN, job_id)
            if place is not None:
                pipe.srem(open_key(place.decode(errors="replace").partition(" ")[2]), job_id)
            pipe.execute()

    def _place_of(self, job_id: str, project: str) -> Place:
        """Find a job's place in the list; one that was deleted keeps it for a day. Raises JobNotFound."""
        created_at = self.redis.zscore(jobs_key(project), job_id)
        if created_at is None:
            created_at = self.redis.zscore(deleted_key(project), job_id)
        if created_at is None:
            raise JobNotFound(job_id)
        return Place(created_at, job_id)
