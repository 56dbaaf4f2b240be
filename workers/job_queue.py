"""The conveyor as the gateway sees it: submit, look at, cancel and delete jobs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from celery import Celery

from cascade.models.presets.table import StageKind
from cascade.service.access.api_keys import ApiKeys
from cascade.service.access.idempotency import IdempotencyKeys
from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.admission import ACTIVE, Admission
from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.record import (
    Artifact,
    IllegalTransition,
    Job,
    JobRequest,
    StageRecord,
    StageStatus,
    cancel,
    continue_draft,
    new_job,
    remix,
    replay,
)
from cascade.workers.jobs.store import JobStore
from cascade.workers.queue.celery_app import enqueue, make_celery
from cascade.workers.queue.fair_queue import FairQueue
from cascade.workers.queue.heartbeat import Worker, live_workers
from cascade.workers.queue.lease import Leases
from cascade.workers.redis_client import connect_redis
from cascade.workers.settings import Settings
from cascade.workers.storage.artifacts import ArtifactStore
from cascade.workers.storage.motions import Motions
from cascade.workers.storage.object_store import ObjectStore
from cascade.workers.webhooks.delivery import Webhooks

AWAITED_S = 3.0


def new_id() -> str:
    return f"video_{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Conveyor:
    """The connections of one process to queue, records and objects."""

    settings: Settings
    redis: Any
    celery: Celery
    jobs: JobStore
    objects: ObjectStore
    artifacts: ArtifactStore
    leases: Leases
    dead_letters: DeadLetters
    admission: Admission
    fair_queue: FairQueue
    api_keys: ApiKeys
    idempotency_keys: IdempotencyKeys
    webhooks: Webhooks
    motions: Motions

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        redis = connect_redis(settings)
        objects = ObjectStore(settings)
        jobs = JobStore(redis, settings)
        return cls(
            settings=settings,
            redis=redis,
            celery=make_celery(settings),
            jobs=jobs,
            objects=objects,
            artifacts=ArtifactStore(redis, objects, settings),
            leases=Leases(redis, settings.lease_s),
            dead_letters=DeadLetters(redis),
            admission=Admission(redis, settings),
            fair_queue=FairQueue(redis, settings.lease_s),
            api_keys=ApiKeys(redis),
            idempotency_keys=IdempotencyKeys(redis),
            webhooks=Webhooks(redis, jobs, settings),
            motions=Motions(redis, objects),
        )

    def submit(self, request: JobRequest, project: str = "default", job_id: str | None = None) -> Job:
        """Record a job and queue its first stage; a job that cannot be queued leaves no record.

        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            QueueFull, QuotaExceeded: too many jobs are under way.
        """
        job = new_job(job_id or new_id(), request, time.time(), project)
        self._start(job)
        return job

    def continue_draft(self, job_id: str, draft: int | None = None) -> Job:
        """Let a completed draft go on from its stored clip; of several, from the one chosen here.

        Raises:
            JobNotFound, IllegalTransition (it is no completed draft), InvalidParameter (no such draft).
        """
        return self._reopen(job_id, partial(continue_draft, draft=draft))

    def remix(self, source: Job, request: JobRequest, first: StageKind) -> Job:
        """A new job from the clips of `source` before the stage `first`.

        Raises:
            InvalidParameter, IllegalTransition, ArtifactLost (a clip to take over is gone).
        """
        job = remix(source, new_id(), request, first, time.time())
        stages = tuple(self._taken_over(stage, job.id) if stage.reused else stage for stage in job.stages)
        job = replace(job, stages=stages)
        try:
            self._start(job)
        except BaseException:
            self.artifacts.delete_job(job.id)
            raise
        return job

    def _start(self, job: Job) -> None:
        """Admit, record and queue a new job; one that cannot be queued leaves nothing."""
        self.admission.reserve(job.id, job.project)
        try:
            self.jobs.create(job)
            self._deliver(job)
        except BaseException:
            self.jobs.delete(job.id)
            self.fair_queue.remove(job.project, job.id)
            self.admission.release(job.id, job.project)
            raise

    def submit_once(self, request: JobRequest, project: str, key: str, sent: str) -> Job:
        """Submit, unless `key` came with the same request (`sent`, as text) within 24 hours: then that job.

        Raises:
            InvalidParameter, IdempotencyConflict (the key came with another request).
            JobNotFound: the key's job was deleted, or is not there yet.
        """
        claim = self.idempotency_keys.claim(project, key, sent, new_id())
        if not claim.first:
            return self._awaited(claim.job_id)
        try:
            return self.submit(request, project, claim.job_id)
        except BaseException:
            self.idempotency_keys.release(project, key)
            raise

    def _awaited(self, job_id: str) -> Job:
        """A job that another request is making at this moment."""
        deadline = time.monotonic() + AWAITED_S
        while (job := self.jobs.get(job_id)) is None:
            if time.monotonic() > deadline:
                raise JobNotFound(job_id)
            time.sleep(0.02)
        return job

    def _taken_over(self, stage: StageRecord, job_id: str) -> StageRecord:
        assert stage.artifact is not None
        files = {kind: self.artifacts.copy(file, job_id) for kind, file in stage.files.items()}
        return replace(stage, artifact=self.artifacts.copy(stage.artifact, job_id), files=files)

    def _deliver(self, job: Job) -> None:
        """Put the stage that is queued on the record into its queue; a first stage waits for its turn."""
        kind = next(stage.kind for stage in job.stages if stage.status is StageStatus.QUEUED)
        if kind is job.stages[0].kind:
            self.fair_queue.add(job.project, job.id)
            enqueue(self.celery, None, kind)
        else:
            enqueue(self.celery, job.id, kind)

    def cancel(self, job_id: str) -> Job:
        """End a job; a running stage stops within one denoising step.

        Raises:
            JobNotFound, IllegalTransition (it is over already).
        """
        return self.jobs.update(job_id, partial(cancel, now=time.time()))

    def delete(self, job_id: str) -> None:
        """Remove a job and every byte of it; a running stage stops within one denoising step.

        Raises:
            JobNotFound
        """
        if not self.jobs.delete(job_id):
            raise JobNotFound(job_id)
        self.dead_letters.remove(job_id)
        self.artifacts.delete_job(job_id)

    def replay(self, job_id: str) -> Job:
        """Let a failed job go on from the stage where it failed.

        Raises:
            JobNotFound, IllegalTransition (it has not failed).
        """
        job = self._reopen(job_id, replay)
        self.dead_letters.remove(job_id)
        return job

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
        self._deliver(job)
        return job

    def presign(self, artifact: Artifact, filename: str) -> str:
        """A download URL of a stored file."""
        return self.objects.presign(artifact.key, filename, artifact.media_type)

    def waiting(self, kind: StageKind) -> int:
        """How many tasks wait in the queue of a stage."""
        length: int = self.redis.llen(str(kind))
        return length

    def active_jobs(self) -> list[Job]:
        """The unfinished jobs of all projects, oldest first."""
        found = [self.jobs.get(job_id.decode()) for job_id in self.redis.smembers(ACTIVE)]
        return sorted((job for job in found if job is not None), key=lambda job: job.created_at)

    def live_workers(self) -> list[Worker]:
        return live_workers(self.redis)
