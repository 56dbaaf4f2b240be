"""The legal changes of a job, as pure functions from a record to the next one. The store applies them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cascade.models.errors import InvalidParameter
from cascade.models.presets.table import get_preset
from cascade.workers.errors import IllegalTransition
from cascade.workers.jobs.record import (
    Failure,
    Job,
    JobRequest,
    JobStatus,
    StageOutput,
    StageRecord,
    StageStatus,
)


def new_job(job_id: str, request: JobRequest, now: float, project: str = "default") -> Job:
    """Resolve a request into a queued job whose first stage is queued: the one place where that happens.

    Raises:
        InvalidParameter: the preset does not offer what is asked for.
    """
    preset = get_preset(request.preset)
    plan = preset.resolve(request.size, request.steps, request.guidance_scale)
    if request.stop_after is not None:
        preset.check_stage(request.stop_after, "stop_after")
    stages = tuple(
        StageRecord(name=spec.name, steps=spec.planned_steps(1 if index else request.best_of))
        for index, spec in enumerate(plan)
    )
    job = Job(id=job_id, request=request, plan=plan, stages=stages, created_at=now, project=project)
    return _with_stage(job, stages[0].name, status=StageStatus.QUEUED)


def start_stage(job: Job, stage: str, worker: str, now: float) -> Job:
    """Let a worker begin a stage that is queued, or in progress with a worker that is lost."""
    _require(job, stage, StageStatus.QUEUED, StageStatus.IN_PROGRESS)
    attempts = job.stage(stage).attempts + 1
    job = replace(job, status=JobStatus.IN_PROGRESS, started_at=job.started_at or now)
    return _with_stage(
        job,
        stage,
        status=StageStatus.IN_PROGRESS,
        attempts=attempts,
        worker=worker,
        step=0,
        started_at=now,
        retry_at=None,
    )


def advance_stage(job: Job, stage: str, step: int, steps: int) -> Job:
    """Record that denoising step `step` of `steps` is done: as that share of the planned steps, which stay the same."""
    _require(job, stage, StageStatus.IN_PROGRESS)
    record = job.stage(stage)
    done = min(record.steps * step // steps, record.steps)
    return _with_stage(job, stage, step=max(done, record.step))


def requeue_stage(job: Job, stage: str, retry_at: float | None = None) -> Job:
    """Return a stage to its queue, at once or from `retry_at` on: its worker was lost or hit a transient fault."""
    _require(job, stage, StageStatus.QUEUED, StageStatus.IN_PROGRESS)
    return _with_stage(job, stage, status=StageStatus.QUEUED, worker=None, step=0, retry_at=retry_at)


def hand_back_stage(job: Job, stage: str, retry_at: float | None = None) -> Job:
    """Return a stage to its queue without counting the attempt: its worker has to stop, or a server of ours is away."""
    _require(job, stage, StageStatus.IN_PROGRESS)
    attempts = job.stage(stage).attempts - 1
    return _with_stage(requeue_stage(job, stage, retry_at), stage, attempts=attempts)


def note_outage(job: Job, stage: str, what: str, now: float) -> Job:
    """Record what a running stage waits for. Its worker goes on when that is back."""
    _require(job, stage, StageStatus.IN_PROGRESS)
    return _with_stage(job, stage, waiting_for=what, waiting_since=job.stage(stage).waiting_since or now)


def end_outage(job: Job, stage: str) -> Job:
    """Record that a running stage waits no more."""
    _require(job, stage, StageStatus.IN_PROGRESS)
    return _with_stage(job, stage, waiting_for=None, waiting_since=None)


def complete_stage(job: Job, stage: str, output: StageOutput, now: float) -> Job:
    """Record the stored output of a stage, and queue the next one, or complete the job."""
    _require(job, stage, StageStatus.IN_PROGRESS)
    job = _with_stage(
        job,
        stage,
        status=StageStatus.COMPLETED,
        step=job.stage(stage).steps,
        finished_at=now,
        waiting_for=None,
        waiting_since=None,
        artifact=output.artifact,
        files=output.files,
        drafts=output.drafts,
        chosen=output.chosen,
        gpu_s=output.gpu_s,
        peak_memory_bytes=output.peak_memory_bytes,
    )
    following = job.next_stage(stage)
    if following is None or job.request.stop_after == stage:
        return replace(job, status=JobStatus.COMPLETED, finished_at=now)
    return _with_stage(job, following, status=StageStatus.QUEUED)


def rewind(job: Job, stage: str) -> Job:
    """Queue a stage again whose stored output is gone or damaged; the stages after it wait."""
    _require_open(job)
    for later in job.stage_names[job.stage_names.index(stage) + 1 :]:
        job = _with_stage(job, later, status=StageStatus.PENDING, worker=None, step=0)
    return _with_stage(job, stage, status=StageStatus.QUEUED, worker=None, step=0, artifact=None)


def fail(job: Job, failure: Failure, now: float) -> Job:
    """End a job as failed, and the stage where it failed."""
    _require_open(job)
    if failure.stage is not None:
        job = _with_stage(job, failure.stage, status=StageStatus.FAILED, finished_at=now)
    return replace(job, status=JobStatus.FAILED, finished_at=now, failure=failure)


def cancel(job: Job, now: float) -> Job:
    """End a job as cancelled, and its stage that is queued or running."""
    _require_open(job)
    if job.open_stage is not None:
        job = _with_stage(job, job.open_stage, status=StageStatus.CANCELLED, finished_at=now)
    return replace(job, status=JobStatus.CANCELLED, finished_at=now)


def replay(job: Job) -> Job:
    """Let a failed job go on from the stage where it failed, with fresh attempts."""
    if job.status is not JobStatus.FAILED or job.failure is None or job.failure.stage is None:
        raise IllegalTransition(f"job {job.id} is {job.status}; only a failed stage can be replayed")
    stage = job.failure.stage
    job = replace(job, status=JobStatus.IN_PROGRESS, finished_at=None, failure=None)
    return _with_stage(
        job,
        stage,
        status=StageStatus.QUEUED,
        attempts=0,
        step=0,
        worker=None,
        finished_at=None,
        waiting_for=None,
        waiting_since=None,
    )


def continue_draft(job: Job, draft: int | None = None) -> Job:
    """Let a completed draft go on with the stage after it, to the end; with the draft `draft`, if one is named.

    Raises:
        IllegalTransition: the job is no completed draft, or its tensors have expired.
        InvalidParameter: there is no such draft.
    """
    pending = [stage.name for stage in job.stages if stage.status is StageStatus.PENDING]
    if job.status is not JobStatus.COMPLETED or not pending:
        raise IllegalTransition(f"job {job.id} is {job.status}; only a completed draft can be continued")
    if draft is not None:
        job = choose_draft(job, draft)
        if len(pending) < len(job.stages) - 1:
            raise IllegalTransition(
                f"job {job.id} is past its first stage; remix it from the second stage to use another draft"
            )
    if job.result.artifact is None:
        raise IllegalTransition(f"the tensors of job {job.id} have expired; make a new video")
    request = replace(job.request, stop_after=None)
    job = replace(job, status=JobStatus.QUEUED, finished_at=None, request=request)
    return _with_stage(job, pending[0], status=StageStatus.QUEUED)


def choose_draft(job: Job, draft: int) -> Job:
    """Make another draft the first stage's output. Raises InvalidParameter if there is no such draft."""
    first = job.stages[0]
    if not 0 <= draft < len(first.drafts):
        raise InvalidParameter("draft", f"job {job.id} has {len(first.drafts)} drafts; they count from 0")
    chosen = first.drafts[draft]
    return _with_stage(job, first.name, chosen=draft, artifact=chosen.artifact, files=chosen.files)


def remix(source: Job, job_id: str, request: JobRequest, first: str, now: float) -> Job:
    """Make a new job that takes over the outputs of `source` before the stage `first`, and makes the rest anew.

    Raises:
        InvalidParameter: the preset does not offer what `request` asks for.
        IllegalTransition: a stage before `first` has no output.
    """
    job = replace(new_job(job_id, request, now, source.project), remixed_from=source.id)
    reused = job.stage_names[: job.stage_names.index(first)]
    for stage in reused:
        record = source.stage(stage) if stage in source.stage_names else job.stage(stage)
        if record.status is not StageStatus.COMPLETED or record.artifact is None:
            raise IllegalTransition(f"stage {stage} of job {source.id} has no output to take over")
    stages = tuple(replace(source.stage(stage), reused=True, drafts=(), chosen=None) for stage in reused)
    plan = tuple(source.spec(stage) for stage in reused) + job.plan[len(reused) :]
    job = replace(job, stages=stages + job.stages[len(reused) :], plan=plan)
    return _with_stage(job, first, status=StageStatus.QUEUED)


def drop_intermediates(job: Job) -> Job:
    """Forget the tensors that the stages of an ended job handed on: they have expired.

    Raises:
        IllegalTransition: the job goes on.
    """
    if not job.status.final:
        raise IllegalTransition(f"job {job.id} goes on")
    stages = tuple(
        replace(stage, artifact=None, drafts=tuple(replace(draft, artifact=None) for draft in stage.drafts))
        for stage in job.stages
    )
    return replace(job, stages=stages)


def expiry(job: Job, result_ttl_s: int) -> float | None:
    """Return when an ended job is deleted (Unix seconds); None while it goes on."""
    if job.finished_at is None or not job.status.final:
        return None
    return job.finished_at + min(job.request.retention_s or result_ttl_s, result_ttl_s)


def _require_open(job: Job) -> None:
    if job.status.final:
        raise IllegalTransition(f"job {job.id} is {job.status} already")


def _require(job: Job, stage: str, *allowed: StageStatus) -> None:
    _require_open(job)
    status = job.stage(stage).status
    if status not in allowed:
        raise IllegalTransition(f"stage {stage} of job {job.id} is {status}, not {' or '.join(allowed)}")


def _with_stage(job: Job, name: str, **changes: Any) -> Job:
    stages = tuple(replace(stage, **changes) if stage.name == name else stage for stage in job.stages)
    return replace(job, stages=stages)
