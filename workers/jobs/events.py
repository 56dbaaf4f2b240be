"""Events of a job, in a Redis stream of its own, written in one transaction with the record.

A second stream, for all jobs, only says which job has something new: one reader of it can wake many listeners.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cascade.workers.jobs.record import Job, JobStatus, StageRecord, StageStatus
from cascade.workers.keys import NEWS, events_key
from cascade.workers.transaction import Transaction

MAX_NEWS = 10_000
MAX_EVENTS = 5_000
EVENTS_TTL_S = 7 * 86_400


@dataclass(frozen=True)
class Event:
    """`type` is `video.*` or `stage.*`; `data` is what a client needs to know of it."""

    type: str
    data: dict[str, Any]


def events_between(before: Job | None, after: Job) -> Iterator[Event]:
    """List what a client should hear of a change of the record."""
    for index, stage in enumerate(after.stages):
        previous = before.stages[index] if before is not None else StageRecord(stage.name, stage.steps)
        yield from _stage_events(previous, stage)
    if before is None or before.status is not after.status:
        data: dict[str, Any] = {"id": after.id, "status": after.status}
        if after.failure is not None:
            data["error"] = {"code": after.failure.code, "message": after.failure.message}
        if after.status is not JobStatus.IN_PROGRESS:
            yield Event(f"video.{after.status}", data)


def _stage_events(before: StageRecord, after: StageRecord) -> Iterator[Event]:
    stage = {"stage": after.name}
    if before.status is not after.status:
        if after.status is StageStatus.IN_PROGRESS:
            yield Event("stage.started", stage | {"attempt": after.attempts, "worker": after.worker})
        elif after.status is StageStatus.COMPLETED:
            yield Event("stage.completed", stage | {"gpu_seconds": after.gpu_s, "reused": after.reused})
        elif before.status is StageStatus.IN_PROGRESS and after.status is StageStatus.QUEUED:
            yield Event("stage.requeued", stage)
    elif after.status is StageStatus.IN_PROGRESS and before.step != after.step:
        yield Event("stage.progress", stage | {"step": after.step, "steps": after.steps})


def publish(transaction: Transaction, before: Job | None, after: Job) -> None:
    """Add the events of a change to a transaction."""
    events = list(events_between(before, after))
    key = events_key(after.id)
    for event in events:
        fields = ("type", event.type, "data", json.dumps(event.data))
        transaction.add("XADD", key, "MAXLEN", "~", MAX_EVENTS, "*", *fields)
    if events:
        transaction.add("EXPIRE", key, EVENTS_TTL_S)
        announce(transaction, after.id)


def announce(transaction: Transaction, job_id: str) -> None:
    """Tell listeners that there is news of a job."""
    transaction.add("XADD", NEWS, "MAXLEN", "~", MAX_NEWS, "*", "job", job_id)
