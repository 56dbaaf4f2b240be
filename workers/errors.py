"""Faults of the workers floor.

    WorkerError
    ├── JobNotFound             there is no such job (any more): whoever works on it stops
    ├── AlreadyClaimed          an idempotency key stands for another request's job, or this one's
    ├── IllegalTransition       the job is in another state than the change needs: whoever works on it stops
    ├── StageInterrupted        a running stage has to stop; its job goes on elsewhere
    │   ├── LeaseLost           another worker has the stage
    │   └── WorkerStopping      the worker hands the stage back
    ├── Permanent               another attempt would not help: a job that meets it fails
    │   ├── TimeLimitExceeded   a stage took longer than CASCADE_STAGE_TIME_LIMIT_S
    │   ├── OutageTooLong       what the stage needs was away for longer than CASCADE_OUTAGE_LIMIT_H
    │   ├── UnreadableRecord    a job record that this version does not understand
    │   └── UnknownQueue        no preset has the queue
    └── Transient               another attempt, later or from an earlier stage, may help
        ├── ArtifactLost        stored bytes are gone or damaged: the stage that made them runs again
        ├── QueueFull           the deployment has as many unfinished jobs as it takes
        ├── QuotaExceeded       the project has as many unfinished jobs, or as many stored bytes, as it may
        └── TargetRefused       a webhook's target may not be called, or does not answer

A stage that raises any other exception is tried again: only our own types (`Permanent`, and `ModelError` of the floor
below) say that it would be in vain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascade.workers.jobs.claim import Claimed


class WorkerError(Exception):
    """Anything that goes wrong on the way of a job through its queues."""


class JobNotFound(WorkerError):
    """There is no such job (any more)."""


class AlreadyClaimed(WorkerError):
    """The idempotency key stands for a job already."""

    def __init__(self, claimed: Claimed) -> None:
        super().__init__(f"the key stands for job {claimed.job_id}")
        self.claimed = claimed


class IllegalTransition(WorkerError):
    """The job is not in a state that allows this change."""


class StageInterrupted(WorkerError):
    """The running stage has to stop; its job goes on elsewhere."""


class LeaseLost(StageInterrupted):
    """Another worker has taken the stage."""


class WorkerStopping(StageInterrupted):
    """This worker has to stop and returns the stage to its queue."""


class Permanent(WorkerError):
    """Another attempt would not help."""


class TimeLimitExceeded(Permanent):
    """The stage took longer than a stage may."""


class OutageTooLong(Permanent):
    """A server of ours was away for longer than jobs wait for it."""


class UnreadableRecord(Permanent):
    """The job record is of a version, a preset or a kind of stage that this version does not know, or is damaged."""


class UnknownQueue(Permanent):
    """No preset has the queue."""


class Transient(WorkerError):
    """Another attempt may help."""


class ArtifactLost(Transient):
    """Stored bytes are gone, or are not the bytes that were stored."""


class QueueFull(Transient):
    """The deployment has as many unfinished jobs as it takes."""


class QuotaExceeded(Transient):
    """The project has as many unfinished jobs, or as many stored bytes, as it may."""


class TargetRefused(Transient):
    """The target may not be called, cannot be reached, or does not answer in time."""
