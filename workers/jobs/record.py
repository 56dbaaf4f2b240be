"""The job record and its legal transitions, as pure functions from a job to the next one.

    queued -> in_progress -> completed | failed | cancelled

A stage of a job goes pending -> queued -> in_progress -> completed | failed | cancelled; it falls back from
in_progress to queued when its worker is lost or hands it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from cascade.models.presets.table import MAX_SEED, InvalidParameter, Preset, StageKind, StageSpec, get_preset


class JobStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class StageStatus(StrEnum):
    PENDING = "pending"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class IllegalTransition(Exception):
    """The job is not in a state that allows this change."""


@dataclass(frozen=True)
class Artifact:
    """A reference to stored bytes.

    Attributes:
        place: `redis` or `s3`.
        key: the Redis key or the S3 object key.
        size_bytes: how many bytes are stored.
        sha256: hex digest of the bytes; a reader verifies it before use.
        media_type: such as `video/mp4` or `application/vnd.safetensors`.
    """

    place: str
    key: str
    size_bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True)
class Draft:
    """One of several clips that the first stage made of one prompt, with its score (0..1, higher is better).

    `files` are by kind: `mp4`, `webp` (animated), `png` (contact sheet), `thumbnail`.
    """

    seed: int
    score: float
    artifact: Artifact | None
    files: Mapping[str, Artifact]


@dataclass(frozen=True)
class StageOutput:
    """What a finished stage stored, and what it cost: its clip, files for people, seconds and peak memory.

    `files` as those of a draft. With best of N, `drafts` are all clips, `chosen` is the best, and its clip the stage's own.
    """

    artifact: Artifact
    files: Mapping[str, Artifact]
    gpu_s: float
    peak_memory_bytes: int
    drafts: tuple[Draft, ...] = ()
    chosen: int | None = None


@dataclass(frozen=True)
class Motion:
    """An adapter of a preset's keyframes network (`cascade.models.families.show1.motion`); `sha256` is of its bytes."""

    preset: str
    name: str
    sha256: str
    added_at: float

    @property
    def key(self) -> str:
        """Where its bytes are in the object store."""
        return f"motions/{self.preset}/{self.name}/{self.sha256[:32]}.safetensors"


@dataclass(frozen=True)
class JobRequest:
    """What the user asked for, checked against the preset. `steps` and `guidance_scale` are by stage kind.

    `stop_after` makes a draft: the job is completed with that stage's clip, and may be continued. `best_of` clips
    of the first stage are made, the best goes on. `motion` is an adapter for keyframes. `webhook_url` is told how the job ended. `retention_s` shortens
    how long the ended job is kept.
    """

    preset: str
    prompt: str
    seed: int
    negative_prompt: str | None = None
    size: str | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    guidance_scale: Mapping[str, float] = field(default_factory=dict)
    stop_after: StageKind | None = None
    best_of: int = 1
    motion: Motion | None = None
    webhook_url: str | None = None
    retention_s: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        """One per draft of the first stage: the request's seed and those after it."""
        return tuple((self.seed + draft) % (MAX_SEED + 1) for draft in range(self.best_of))

    def resolve(self) -> tuple[StageSpec, ...]:
        """The preset's stages with this request's choices. Raises InvalidParameter."""
        return self.cascade().resolve(self.size, self.steps, self.guidance_scale)

    def cascade(self) -> Preset:
        return get_preset(self.preset)


@dataclass(frozen=True)
class StageRecord:
    """One stage of one job. Times are Unix seconds; `step` of `steps` denoising steps are done.

    `reused`: the clip was taken over from the video that this one remixes. `chosen` is the index of the draft that
    the cascade goes on with.
    """

    kind: StageKind
    steps: int
    status: StageStatus = StageStatus.PENDING
    step: int = 0
    attempts: int = 0
    worker: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    gpu_s: float | None = None
    peak_memory_bytes: int | None = None
    artifact: Artifact | None = None
    files: Mapping[str, Artifact] = field(default_factory=dict)
    reused: bool = False
    drafts: tuple[Draft, ...] = ()
    chosen: int | None = None

    @property
    def preview(self) -> Artifact | None:
        """The stage's clip as MP4, once it has landed."""
        return self.files.get("mp4")


@dataclass(frozen=True)
class Failure:
    """Why a job failed: a stable code, what happened in words, and the stage where."""

    code: str
    message: str
    stage: StageKind | None = None


@dataclass(frozen=True)
class Job:
    """The record that the gateway shows and the workers move along; only keys of its project see it."""

    id: str
    request: JobRequest
    created_at: float
    stages: tuple[StageRecord, ...]
    status: JobStatus = JobStatus.QUEUED
    started_at: float | None = None
    finished_at: float | None = None
    failure: Failure | None = None
    remixed_from: str | None = None
    project: str = "default"

    def stage(self, kind: StageKind) -> StageRecord:
        return next(stage for stage in self.stages if stage.kind == kind)

    def next_kind(self, kind: StageKind) -> StageKind | None:
        """The stage after `kind`, None after the last."""
        kinds = [stage.kind for stage in self.stages]
        following = kinds[kinds.index(kind) + 1 :]
        return following[0] if following else None

    def previous_kind(self, kind: StageKind) -> StageKind | None:
        """The stage before `kind`, None before the first."""
        kinds = [stage.kind for stage in self.stages]
        before = kinds[: kinds.index(kind)]
        return before[-1] if before else None

    @property
    def result(self) -> StageRecord:
        """The last completed stage, else the first: what a completed job has made."""
        landed = [stage for stage in self.stages if stage.status is StageStatus.COMPLETED]
        return landed[-1] if landed else self.stages[0]

    @property
    def seed(self) -> int:
        """The seed of the stages behind the first: that of the chosen draft."""
        first = self.stages[0]
        return self.request.seed if first.chosen is None else first.drafts[first.chosen].seed

    @property
    def progress(self) -> float:
        """0..1: finished denoising steps over all steps of the job."""
        total = sum(stage.steps for stage in self.stages)
        return sum(stage.step for stage in self.stages) / total


def new_job(job_id: str, request: JobRequest, now: float, project: str = "default") -> Job:
    """A queued job whose first stage is queued. Raises InvalidParameter if the preset does not offer it."""
    records = [StageRecord(kind=spec.kind, steps=spec.steps) for spec in request.resolve()]
    records[0] = replace(records[0], status=StageStatus.QUEUED)
    return Job(id=job_id, request=request, created_at=now, stages=tuple(records), project=project)


def start_stage(job: Job, kind: StageKind, worker: str, now: float) -> Job:
    """A worker takes the stage: from queued, or again from in_progress after a lost worker."""
    _require(job, kind, StageStatus.QUEUED, StageStatus.IN_PROGRESS)
    attempts = job.stage(kind).attempts + 1
    job = replace(job, status=JobStatus.IN_PROGRESS, started_at=job.started_at or now)
    return _with_stage(
        job,
        kind,
        status=StageStatus.IN_PROGRESS,
        attempts=attempts,
        worker=worker,
        step=0,
        started_at=now,
    )


def advance_stage(job: Job, kind: StageKind, step: int, steps: int) -> Job:
    """Denoising step `step` of `steps` is done."""
    _require(job, kind, StageStatus.IN_PROGRESS)
    return _with_stage(job, kind, step=step, steps=steps)


def requeue_stage(job: Job, kind: StageKind) -> Job:
    """The stage goes back to its queue: its worker was lost or hit a transient fault."""
    _require(job, kind, StageStatus.QUEUED, StageStatus.IN_PROGRESS)
    return _with_stage(job, kind, status=StageStatus.QUEUED, worker=None, step=0)


def hand_back_stage(job: Job, kind: StageKind) -> Job:
    """A worker that has to stop returns the stage to its queue; the attempt does not count."""
    _require(job, kind, StageStatus.IN_PROGRESS)
    return _with_stage(requeue_stage(job, kind), kind, attempts=job.stage(kind).attempts - 1)


def rewind(job: Job, kind: StageKind) -> Job:
    """The stored clip of `kind` is gone or damaged: it is queued again, and the stages after it wait."""
    _require_open(job)
    kinds = [stage.kind for stage in job.stages]
    for later in kinds[kinds.index(kind) + 1 :]:
        job = _with_stage(job, later, status=StageStatus.PENDING, worker=None, step=0)
    return _with_stage(job, kind, status=StageStatus.QUEUED, worker=None, step=0, artifact=None)


def replay(job: Job) -> Job:
    """An operator lets a failed job go on from the stage where it failed, with fresh attempts."""
    if job.status is not JobStatus.FAILED or job.failure is None or job.failure.stage is None:
        raise IllegalTransition(f"job {job.id} is {job.status}; only a failed stage can be replayed")
    kind = job.failure.stage
    job = replace(job, status=JobStatus.IN_PROGRESS, finished_at=None, failure=None)
    return _with_stage(
        job, kind, status=StageStatus.QUEUED, attempts=0, step=0, worker=None, finished_at=None
    )


def complete_stage(job: Job, kind: StageKind, output: StageOutput, now: float) -> Job:
    """The stage's artifact is stored; the next stage is queued, or the job is completed."""
    _require(job, kind, StageStatus.IN_PROGRESS)
    steps = job.stage(kind).steps
    job = _with_stage(
        job,
        kind,
        status=StageStatus.COMPLETED,
        step=steps,
        finished_at=now,
        artifact=output.artifact,
        files=output.files,
        drafts=output.drafts,
        chosen=output.chosen,
        gpu_s=output.gpu_s,
        peak_memory_bytes=output.peak_memory_bytes,
    )
    following = job.next_kind(kind)
    if following is None or job.request.stop_after == kind:
        return replace(job, status=JobStatus.COMPLETED, finished_at=now)
    return _with_stage(job, following, status=StageStatus.QUEUED)


def continue_draft(job: Job, draft: int | None = None) -> Job:
    """A completed draft goes on with the stage after it, to the end; with the draft `draft`, if one is chosen.

    Raises:
        IllegalTransition: the job is no completed draft, or its clip is not kept any more.
        InvalidParameter: there is no such draft.
    """
    waiting = [stage.kind for stage in job.stages if stage.status is StageStatus.PENDING]
    if job.status is not JobStatus.COMPLETED or not waiting:
        raise IllegalTransition(f"job {job.id} is {job.status}; only a completed draft can be continued")
    if draft is not None:
        job = choose_draft(job, draft)
        if len(waiting) < len(job.stages) - 1:
            raise IllegalTransition(
                f"job {job.id} is past its first stage; remix it from the second stage to use another draft"
            )
    if job.result.artifact is None:
        raise IllegalTransition(f"the clip of job {job.id} is not kept any more; make a new video")
    request = replace(job.request, stop_after=None)
    job = replace(job, status=JobStatus.QUEUED, finished_at=None, request=request)
    return _with_stage(job, waiting[0], status=StageStatus.QUEUED)


def choose_draft(job: Job, draft: int) -> Job:
    """The job with another of its drafts as the first stage's clip. Raises InvalidParameter if there is none such."""
    first = job.stages[0]
    if not 0 <= draft < len(first.drafts):
        raise InvalidParameter("draft", f"job {job.id} has {len(first.drafts)} drafts; they count from 0")
    chosen = first.drafts[draft]
    return _with_stage(job, first.kind, chosen=draft, artifact=chosen.artifact, files=chosen.files)


def forget_intermediates(job: Job) -> Job:
    """The tensors that the stages handed on are not kept any more."""
    stages = tuple(
        replace(stage, artifact=None, drafts=tuple(replace(draft, artifact=None) for draft in stage.drafts))
        for stage in job.stages
    )
    return replace(job, stages=stages)


def remix(source: Job, job_id: str, request: JobRequest, first: StageKind, now: float) -> Job:
    """A new job that takes over the clips of `source` before the stage `first`, and makes the rest anew.

    Raises:
        InvalidParameter: the preset does not offer what `request` asks for.
        IllegalTransition: a stage before `first` has no clip.
    """
    job = replace(new_job(job_id, request, now, source.project), remixed_from=source.id)
    kinds = [stage.kind for stage in job.stages]
    before = kinds[: kinds.index(first)]
    for kind in before:
        taken = source.stage(kind)
        if taken.status is not StageStatus.COMPLETED or taken.artifact is None:
            raise IllegalTransition(f"stage {kind} of job {source.id} has no clip to take over")
    stages = tuple(replace(source.stage(kind), reused=True, drafts=(), chosen=None) for kind in before)
    job = replace(job, stages=stages + job.stages[len(before) :])
    return _with_stage(job, first, status=StageStatus.QUEUED)


def expiry(job: Job, result_ttl_s: int) -> float | None:
    """When an ended job is deleted (Unix seconds); None while it goes on."""
    if job.finished_at is None or not job.status.final:
        return None
    return job.finished_at + min(job.request.retention_s or result_ttl_s, result_ttl_s)


def fail(job: Job, failure: Failure, now: float) -> Job:
    """The job ends as failed, and with it the stage where it failed."""
    _require_open(job)
    if failure.stage is not None:
        job = _with_stage(job, failure.stage, status=StageStatus.FAILED, finished_at=now)
    return replace(job, status=JobStatus.FAILED, finished_at=now, failure=failure)


def cancel(job: Job, now: float) -> Job:
    """The user ends the job; stages that have not finished are cancelled."""
    _require_open(job)
    open_stages = [s.kind for s in job.stages if s.status in (StageStatus.QUEUED, StageStatus.IN_PROGRESS)]
    for kind in open_stages:
        job = _with_stage(job, kind, status=StageStatus.CANCELLED, finished_at=now)
    return replace(job, status=JobStatus.CANCELLED, finished_at=now)


def _require_open(job: Job) -> None:
    if job.status.final:
        raise IllegalTransition(f"job {job.id} is {job.status} already")


def _require(job: Job, kind: StageKind, *allowed: StageStatus) -> None:
    _require_open(job)
    status = job.stage(kind).status
    if status not in allowed:
        raise IllegalTransition(f"stage {kind} of job {job.id} is {status}, not {' or '.join(allowed)}")


def _with_stage(job: Job, kind: StageKind, **changes: Any) -> Job:
    stages = tuple(replace(s, **changes) if s.kind == kind else s for s in job.stages)
    return replace(job, stages=stages)
