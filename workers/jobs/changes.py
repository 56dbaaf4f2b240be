"""What follows from a change of a job record, beside the record itself."""

from __future__ import annotations

from collections.abc import Callable

from cascade.workers.jobs.codec import dump_job
from cascade.workers.jobs.dead_letters import DeadLetter, dump_letter
from cascade.workers.jobs.events import publish
from cascade.workers.jobs.listing import entry_of
from cascade.workers.jobs.record import Job, JobStatus
from cascade.workers.jobs.stage_times import note_completed
from cascade.workers.jobs.transitions import expiry
from cascade.workers.keys import (
    DEAD_LETTERS,
    INTERMEDIATES_DUE,
    JOBS_DUE,
    STORED,
    WEBHOOKS,
    job_key,
    listing_key,
    preview_key,
)
from cascade.workers.queue.waiting import schedule
from cascade.workers.settings import Settings
from cascade.workers.transaction import Transaction


def changes(before: Job | None, job: Job, settings: Settings, now: Callable[[], float]) -> Transaction:
    """List all that is written when a record becomes `job`.

    Args:
        before: the record as it was; None for a new one.
        now: asked for Redis's time (Unix seconds), if it matters.
    """
    transaction = Transaction()
    transaction.add("SET", job_key(job.id), dump_job(job))
    if before is None or before.status is not job.status:
        transaction.add("HSET", listing_key(job.project), job.id, entry_of(job))
    publish(transaction, before, job)
    if before is None or _place(before) != _place(job):
        schedule(transaction, before, job, now())
        transaction.add("DEL", preview_key(job.id))
    note_completed(transaction, before, job)
    stored = job.stored_bytes - (0 if before is None else before.stored_bytes)
    if stored:
        transaction.add("HINCRBY", STORED, job.project, stored)
    was_over = before is not None and before.status.final
    if job.status.final and not was_over:
        _end(transaction, job, settings)
    elif was_over and not job.status.final:
        unschedule(transaction, job.id)
    return transaction


def unschedule(transaction: Transaction, job_id: str) -> None:
    """Take back what the end of a job scheduled."""
    for key in (WEBHOOKS, INTERMEDIATES_DUE, JOBS_DUE):
        transaction.add("ZREM", key, job_id)
    transaction.add("HDEL", DEAD_LETTERS, job_id)


def _place(job: Job) -> tuple[object, ...]:
    """Return what of a record decides where its job waits."""
    stage = None if job.open_stage is None else job.stage(job.open_stage)
    return () if stage is None else (stage.name, stage.status, stage.retry_at)


def _end(transaction: Transaction, job: Job, settings: Settings) -> None:
    """Schedule an ended job's webhook and its deletion, and keep a letter of one that failed."""
    assert job.finished_at is not None
    if job.request.webhook_url is not None:
        transaction.add("ZADD", WEBHOOKS, job.finished_at, job.id)
    if job.status is JobStatus.FAILED and job.failure is not None:
        letter = DeadLetter(job.id, job.failure, job.finished_at)
        transaction.add("HSET", DEAD_LETTERS, job.id, dump_letter(letter))
    due = expiry(job, settings.result_ttl_s)
    assert due is not None
    transaction.add("ZADD", JOBS_DUE, due, job.id)
    tensors_due = min(due, job.finished_at + settings.intermediate_ttl_s)
    transaction.add("ZADD", INTERMEDIATES_DUE, tensors_due, job.id)
