"""Maps jobs, presets, workers and deliveries to what clients get."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cascade.models.presets.spec import (
    MAX_GUIDANCE_SCALE,
    MAX_SEED,
    MIN_GUIDANCE_SCALE,
    MIN_STEPS,
    AnyStageSpec,
    Preset,
    queue_name,
)
from cascade.models.prompt_guide import vocabulary
from cascade.service.api.schemas.operations import (
    ActiveVideo,
    DeadLetterView,
    QueueView,
    StageTimes,
    WorkerView,
)
from cascade.service.api.schemas.presets import ModelView, StageModel
from cascade.service.api.schemas.requests import VideoOptions
from cascade.service.api.schemas.videos import (
    DraftView,
    EstimateView,
    StageView,
    Usage,
    Video,
    VideoError,
    VideoStatus,
)
from cascade.service.api.schemas.webhooks import DeliveryView, WebhookSecret
from cascade.workers.jobs.dead_letters import DeadLetter
from cascade.workers.jobs.record import Artifact, Draft, Job, JobStatus, StageRecord, StageStatus
from cascade.workers.jobs.transitions import expiry
from cascade.workers.queue.estimates import Estimate
from cascade.workers.queue.heartbeat import Worker
from cascade.workers.webhooks.delivery import Delivery
from cascade.workers.webhooks.secrets import Secrets

ALMOST = 99
"""Percent shown at most until an end is stored: its files are written after the last step."""
UrlFor = Callable[[Artifact, str], str]
"""The download URL of a stored file, under the name that it is saved as."""


def video_view(
    job: Job,
    url_for: UrlFor,
    result_ttl_s: int,
    warnings: Sequence[str] = (),
    estimate: Estimate | None = None,
) -> Video:
    """Show a job as its owner sees it; it expires `result_ttl_s` after its end at the latest."""
    request, last, failure = job.request, job.plan[-1], job.failure
    completed = job.status is JobStatus.COMPLETED
    options = {name: getattr(request, name) for name in VideoOptions.model_fields}
    options["motion"] = request.motion and request.motion.name
    return Video(
        **options,
        id=job.id,
        model=request.preset,
        status=VideoStatus(job.status),
        progress=100 if completed else min(math.floor(100 * job.progress), ALMOST),
        created_at=int(job.created_at),
        completed_at=_seconds(job.finished_at) if completed else None,
        expires_at=_seconds(expiry(job, result_ttl_s)),
        seconds=duration(last),
        size=str(last.size),
        prompt=request.prompt,
        warnings=list(warnings),
        error=None if failure is None else VideoError(code=failure.code, message=failure.message),
        seed=request.seed,
        negative_prompt=request.negative_prompt,
        remixed_from_video_id=job.remixed_from,
        stop_after=request.stop_after,
        drafts=[_draft(index, draft, job, url_for) for index, draft in enumerate(job.stages[0].drafts)],
        stages=[_stage(stage, job, url_for) for stage in job.stages],
        estimate=None if estimate is None else _estimate(estimate),
        usage=_usage(job),
        url=_url(job.result.preview, f"{job.id}.mp4", url_for) if completed else None,
    )


def without_content(video: Video) -> Video:
    """Leave out what a caller without the scope `read` may not see: words, and where clips are."""
    return video.model_copy(
        update={
            "prompt": "",
            "warnings": [],
            "negative_prompt": None,
            "metadata": {},
            "webhook_url": None,
            "url": None,
            "drafts": [],
            "stages": [stage.model_copy(update={"preview_url": None}) for stage in video.stages],
        }
    )


def _stage(stage: StageRecord, job: Job, url_for: UrlFor) -> StageView:
    seconds = None
    if stage.started_at is not None and stage.finished_at is not None:
        seconds = round(stage.finished_at - stage.started_at, 3)
    return StageView(
        name=stage.name,
        title=job.spec(stage.name).title,
        kind=stage.name,
        status=stage.status,
        progress=100
        if stage.status is StageStatus.COMPLETED
        else min(100 * stage.step // stage.steps, ALMOST),
        step=stage.step,
        steps=stage.steps,
        attempts=stage.attempts,
        worker=stage.worker,
        waiting_for=stage.waiting_for,
        started_at=_seconds(stage.started_at),
        finished_at=_seconds(stage.finished_at),
        seconds=seconds,
        gpu_seconds=None if stage.gpu_s is None else round(stage.gpu_s, 3),
        peak_memory_bytes=stage.peak_memory_bytes,
        artifact_bytes=stage.artifact and stage.artifact.size_bytes,
        reused=stage.reused,
        preview_url=_url(stage.preview, f"{job.id}-{stage.name}.mp4", url_for),
    )


def _draft(index: int, draft: Draft, job: Job, url_for: UrlFor) -> DraftView:
    name = f"{job.id}-draft-{index}"
    return DraftView(
        index=index,
        seed=draft.seed,
        score=round(draft.score, 4),
        chosen=job.stages[0].chosen == index,
        preview_url=_url(draft.files.get("mp4"), f"{name}.mp4", url_for),
        thumbnail_url=_url(draft.files.get("thumbnail"), f"{name}.webp", url_for),
    )


def _estimate(estimate: Estimate) -> EstimateView:
    seconds = estimate.seconds_left
    return EstimateView(
        position=estimate.position, seconds_left=None if seconds is None else round(max(seconds, 0), 1)
    )


def _usage(job: Job) -> Usage:
    spent = {
        stage.name: round(stage.gpu_s, 3)
        for stage in job.stages
        if stage.gpu_s is not None and not stage.reused
    }
    return Usage(gpu_seconds=round(sum(spent.values()), 3), gpu_seconds_by_stage=spent)


def model_view(preset: Preset, motions: list[str], max_prompt_chars: int, max_best_of: int) -> ModelView:
    """Show a preset with its limits; `motions` are the names of those that requests may ask for."""
    return ModelView(
        id=preset.name,
        description=preset.description,
        sizes=[str(size) for size in preset.sizes],
        seconds=duration(preset.stages[-1]),
        example_prompts=list(preset.example_prompts),
        vocabulary={attribute: list(words) for attribute, words in vocabulary(preset.name).items()},
        motions=motions,
        max_seed=MAX_SEED,
        max_best_of=max_best_of,
        max_prompt_chars=max_prompt_chars,
        max_prompt_tokens=preset.max_prompt_tokens,
        stages=[_stage_model(spec) for spec in preset.stages],
    )


def _stage_model(spec: AnyStageSpec) -> StageModel:
    return StageModel(
        name=spec.name,
        title=spec.title,
        kind=spec.name,
        frames=spec.frames,
        height=spec.height,
        width=spec.width,
        fps=spec.fps,
        steps=spec.steps,
        min_steps=MIN_STEPS,
        max_steps=spec.max_steps,
        guidance_scale=spec.guidance_scale,
        min_guidance_scale=MIN_GUIDANCE_SCALE,
        max_guidance_scale=MAX_GUIDANCE_SCALE,
        max_prompt_tokens=spec.max_prompt_tokens,
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """Show one attempt to deliver a webhook."""
    return DeliveryView(
        message_id=delivery.message_id,
        event=delivery.event,
        attempt=delivery.attempt,
        at=int(delivery.at),
        seconds=delivery.seconds,
        status_code=delivery.status_code,
        error=delivery.error,
        taken=delivery.taken,
    )


def secret_view(secrets: Secrets) -> WebhookSecret:
    """Show a project's signing secrets."""
    expires_in_s = None if secrets.previous is None else secrets.previous_for_s
    return WebhookSecret(
        secret=secrets.current, previous_secret=secrets.previous, previous_expires_in_s=expires_in_s
    )


@dataclass(frozen=True)
class QueueLoad:
    """What a queue has to do: stages that wait and that run, and runs that were completed in the last hour."""

    waiting: int
    running: int
    done_last_hour: int


def queue_view(preset: Preset, spec: AnyStageSpec, load: QueueLoad, workers: list[Worker]) -> QueueView:
    """Show the queue of a stage: what it has to do, and which of all `workers` serve it."""
    queue = queue_name(preset.name, spec.name)
    serving = [worker for worker in workers if queue in worker.queues]
    return QueueView(
        queue=queue,
        model=preset.name,
        stage=spec.name,
        title=spec.title,
        waiting=load.waiting,
        running=load.running,
        done_last_hour=load.done_last_hour,
        workers=len(serving),
        busy=sum(worker.state == "busy" for worker in serving),
    )


def worker_view(worker: Worker, job: Job | None) -> WorkerView:
    """Show a live worker, and how far it is with `job`, that it runs."""
    stage = None if job is None or job.open_stage is None else job.stage(job.open_stage)
    if job is None or stage is None or stage.worker != worker.name:  # another has it by now
        return WorkerView(
            name=worker.name, queues=list(worker.queues), state=worker.state, video_id=worker.job_id
        )
    return WorkerView(
        name=worker.name,
        queues=list(worker.queues),
        state=worker.state,
        video_id=worker.job_id,
        queue=job.queue(stage.name),
        stage=stage.name,
        title=job.spec(stage.name).title,
        since=stage.started_at,
        step=stage.step,
        steps=stage.steps,
    )


def active_video(job: Job, url_for: UrlFor | None = None) -> ActiveVideo:
    """Show an unfinished job as an operator sees it; without `url_for` its content is left out."""
    return ActiveVideo(
        **_content(job, url_for),
        id=job.id,
        project=job.project,
        model=job.request.preset,
        status=job.status,
        created_at=job.created_at,
        stages=[_stage_times(stage, job) for stage in job.stages],
    )


def _content(job: Job, url_for: UrlFor | None) -> dict[str, str | None]:
    """Return the fields of `OwnContent`."""
    if url_for is None:
        return {}
    result = job.result
    return {
        "prompt": job.request.prompt,
        "preview_url": _url(result.preview, f"{job.id}-{result.name}.mp4", url_for),
        "thumbnail_url": _url(result.files.get("thumbnail"), f"{job.id}-{result.name}.webp", url_for),
    }


def _stage_times(stage: StageRecord, job: Job) -> StageTimes:
    return StageTimes(
        name=stage.name,
        title=job.spec(stage.name).title,
        kind=stage.name,
        status=stage.status,
        step=stage.step,
        steps=stage.steps,
        attempts=stage.attempts,
        worker=stage.worker,
        started_at=stage.started_at,
        finished_at=stage.finished_at,
    )


def dead_letter_view(letter: DeadLetter, job: Job | None, url_for: UrlFor | None = None) -> DeadLetterView:
    """Show a job that failed for good; without `url_for` its content is left out, and without its record also more."""
    failure = letter.failure
    return DeadLetterView(
        **({} if job is None else _content(job, url_for)),
        video_id=letter.job_id,
        project=job and job.project,
        model=job and job.request.preset,
        stage=failure.stage,
        code=failure.code,
        message=failure.message,
        at=letter.at,
    )


def duration(spec: AnyStageSpec) -> str:
    """Write the seconds of a stage's clip, as the OpenAI resource writes them."""
    return f"{spec.frames / spec.fps:g}"


def _seconds(time: float | None) -> int | None:
    return None if time is None else int(time)


def _url(artifact: Artifact | None, filename: str, url_for: UrlFor) -> str | None:
    return None if artifact is None else url_for(artifact, filename)
