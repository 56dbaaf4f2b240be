"""The queue as the gateway sees it: submit, continue, remix, cancel, replay and delete jobs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from cascade.workers.errors import IllegalTransition, JobNotFound
from cascade.workers.jobs import transitions
from cascade.workers.jobs.admission import Admission
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.record import Job, JobRequest, StageRecord
from cascade.workers.jobs.store import JobStore
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore


def new_id() -> str:
    """Draw the id of a new job."""
    return f"video_{secrets.token_hex(16)}"


@dataclass(frozen=True)
class JobQueue:
    """Takes jobs in and out; the workers move them along in between."""

    jobs: JobStore
    queue: StageQueue
    admission: Admission
    artifacts: ArtifactStore
    dead_letters: DeadLetters

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            queue=StageQueue.of(servers),
            admission=Admission(servers.redis, servers.settings),
            artifacts=ArtifactStore.of(servers),
            dead_letters=DeadLetters(servers.redis),
        )

    def submit(self, request: JobRequest, project: str = "default", job_id: str | None = None) -> Job:
        """Record a job and queue its first stage; a job that cannot be queued leaves no record.

        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            QueueFull, QuotaExceeded: too many jobs are under way.
        """
        job = transitions.new_job(job_id or new_id(), request, time.time(), project)
        self._start(job)
        return job

    def continue_draft(self, job_id: str, draft: int | None = None) -> Job:
        """Let a completed draft go on from its stored output; of several, from the one chosen here.

        Raises:
            JobNotFound.
            IllegalTransition: it is no completed draft.
            InvalidParameter: there is no such draft.
            QueueFull, QuotaExceeded: too many jobs are under way.
        """
        return self._reopen(job_id, partial(transitions.continue_draft, draft=draft))

    def remix(self, source: Job, request: JobRequest, first: str) -> Job:
        """Submit a new job that begins with the outputs of `source` before the stage `first`.

        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            IllegalTransition: a stage before `first` has no output.
            ArtifactLost: an output to take over is gone.
            QueueFull, QuotaExceeded: too many jobs are under way.
        """
        job = transitions.remix(source, new_id(), request, first, time.time())
        stages = tuple(self._copied(stage, job.id) if stage.reused else stage for stage in job.stages)
        job = replace(job, stages=stages)
        try:
            self._start(job)
        except BaseException:
            self.artifacts.delete_job(job.id)
            raise
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job; a running stage stops within one denoising step.

        Raises:
            JobNotFound.
            IllegalTransition: it is over already.
        """
        return self.jobs.update(job_id, partial(transitions.cancel, now=time.time()))

    def delete(self, job_id: str) -> None:
        """Remove a job and every byte of it; a running stage stops within one denoising step.

        Raises:
            JobNotFound.
        """
        if not self.jobs.delete(job_id):
            raise JobNotFound(job_id)
        self.dead_letters.remove(job_id)
        self.artifacts.delete_job(job_id)

    def replay(self, job_id: str) -> Job:
        """Let a failed job go on from the stage where it failed.

        Raises:
            JobNotFound.
            IllegalTransition: it has not failed.
            QueueFull, QuotaExceeded: too many jobs are under way.
        """
        job = self._reopen(job_id, transitions.replay)
        self.dead_letters.remove(job_id)
        return job

    def active_jobs(self) -> list[Job]:
        """List the unfinished jobs of all projects, oldest first."""
        return sorted(self.jobs.get_all(self.admission.active()), key=lambda job: job.created_at)

    def _start(self, job: Job) -> None:
        """Admit, record and queue a new job; one that cannot be queued leaves nothing."""
        self.admission.reserve(job.id, job.project)
        try:
            self.jobs.create(job)
            self._queue_open_stage(job)
        except BaseException:
            self.jobs.delete(job.id)
            self.queue.remove(job)
            self.admission.release(job.id, job.project)
            raise

    def _reopen(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Let an ended job go on, if `change` and admission allow it."""
        ended = self.jobs.get(job_id)
        if ended is None:
            raise JobNotFound(job_id)
        change(ended)  # refused before it is admitted
        self.admission.reserve(job_id, ended.project)
        try:
            job = self.jobs.update(job_id, change)
        except (JobNotFound, IllegalTransition):
            current = self.jobs.get(job_id)
            if current is None or current.status.final:
                self.admission.release(job_id, ended.project)
            raise
        self._queue_open_stage(job)
        return job

    def _queue_open_stage(self, job: Job) -> None:
        assert job.open_stage is not None
        self.queue.put(job, job.open_stage)

    def _copied(self, stage: StageRecord, job_id: str) -> StageRecord:
        assert stage.artifact is not None
        files = {kind: self.artifacts.copy(file, job_id) for kind, file in stage.files.items()}
        return replace(stage, artifact=self.artifacts.copy(stage.artifact, job_id), files=files)
