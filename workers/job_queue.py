"""The queue as the gateway sees it: submit, continue, remix, cancel, replay and delete jobs."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from redis.exceptions import RedisError

from cascade.workers.errors import JobNotFound
from cascade.workers.jobs import transitions
from cascade.workers.jobs.claim import Claim
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.purge import look_again, purge_later
from cascade.workers.jobs.record import Job, JobRequest, StageRecord
from cascade.workers.jobs.store import JobStore
from cascade.workers.outages import outage
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore

logger = logging.getLogger(__name__)


def new_id() -> str:
    """Draw the id of a new job."""
    return f"video_{secrets.token_hex(16)}"


@dataclass(frozen=True)
class JobQueue:
    """Takes jobs in and out; the workers move them along in between.

    Where a `claim` is given, its idempotency key stands for the job from the change on, and AlreadyClaimed is raised if
    it stands for one before.
    """

    jobs: JobStore
    waiting: WaitingStages
    artifacts: ArtifactStore
    dead_letters: DeadLetters

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            waiting=WaitingStages(servers.redis, servers.settings.lease_s),
            artifacts=ArtifactStore.of(servers),
            dead_letters=DeadLetters(servers.redis),
        )

    def submit(self, request: JobRequest, project: str = "default", claim: Claim | None = None) -> Job:
        """Record a job whose first stage waits.

        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            QueueFull, QuotaExceeded: too many jobs are under way, or too many bytes are stored.
        """
        return self.jobs.create(transitions.new_job(new_id(), request, self.jobs.now(), project), claim)

    def continue_draft(self, job_id: str, draft: int | None = None, claim: Claim | None = None) -> Job:
        """Let a completed draft go on from its stored output; of several, from the one chosen here.

        Raises:
            JobNotFound.
            IllegalTransition: it is no completed draft.
            InvalidParameter: there is no such draft.
            QueueFull, QuotaExceeded: too many jobs are under way, or too many bytes are stored.
        """
        return self.jobs.reopen(job_id, partial(transitions.continue_draft, draft=draft), claim)

    def remix(self, source: Job, request: JobRequest, first: str, claim: Claim | None = None) -> Job:
        """Submit a new job that begins with the outputs of `source` before the stage `first`.

        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            IllegalTransition: a stage before `first` has no output.
            ArtifactLost: an output to take over is gone.
            QueueFull, QuotaExceeded: too many jobs are under way, or too many bytes are stored.
        """
        job = transitions.remix(source, new_id(), request, first, self.jobs.now())
        try:
            stages = tuple(self._copied(stage, job.id) if stage.reused else stage for stage in job.stages)
            return self.jobs.create(replace(job, stages=stages), claim)
        except Exception:
            if self.jobs.get(job.id) is None:
                self._purge(job.id)
            raise

    def cancel(self, job_id: str, claim: Claim | None = None) -> Job:
        """End a job; a running stage stops within one denoising step.

        Raises:
            JobNotFound.
            IllegalTransition: it is over already.
        """
        return self.jobs.update(job_id, partial(transitions.cancel, now=self.jobs.now()), claim=claim)

    def delete(self, job_id: str) -> None:
        """Remove a job and every byte of it; a running stage stops within one denoising step.

        Bytes that cannot be deleted now are deleted by the housekeeper, when their server is back.

        Raises:
            JobNotFound.
        """
        if not self.jobs.delete(job_id):
            raise JobNotFound(job_id)
        self._purge(job_id)

    def replay(self, job_id: str) -> Job:
        """Let a failed job go on from the stage where it failed.

        Raises:
            JobNotFound.
            IllegalTransition: it has not failed.
            QueueFull, QuotaExceeded: too many jobs are under way, or too many bytes are stored.
        """
        return self.jobs.reopen(job_id, transitions.replay)

    def _purge(self, job_id: str) -> None:
        try:
            self.artifacts.delete_job(job_id)
            look_again(self.jobs.redis, job_id)
        except Exception as error:
            if outage(error) is None:
                raise
            logger.warning("the bytes of %s are deleted later: %s", job_id, error)
            with suppress(RedisError):
                purge_later(self.jobs.redis, job_id)

    def _copied(self, stage: StageRecord, job_id: str) -> StageRecord:
        assert stage.artifact is not None
        files = {kind: self.artifacts.copy(file, job_id) for kind, file in stage.files.items()}
        return replace(stage, artifact=self.artifacts.copy(stage.artifact, job_id), files=files)
