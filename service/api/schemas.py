"""What clients send and get: the OpenAI Videos resource, with more to say where a cascade has more."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictInt,
    StringConstraints,
)

from cascade.models.presets.table import MAX_SEED, Preset, StageKind, StageSpec
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import Artifact, Draft, Job, JobStatus, StageRecord, expiry
from cascade.workers.webhooks.delivery import Delivery

EXAMPLE_REQUEST: dict[str, JsonValue] = {
    "prompt": "a red circle moving right on a gray background",
    "model": "shapes",
    "seed": 7,
    "size": "256x160",
    "steps": {"keyframes": 20},
}


EXAMPLE_REMIX: dict[str, JsonValue] = {"prompt": "a blue circle moving right", "from_stage": "keyframes"}


def _text(value: object) -> object:
    """Refuse what no prompt holds: control characters, and halves of surrogate pairs."""
    if isinstance(value, str):
        if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
            raise ValueError("is not valid Unicode text")
        if any(ord(char) < 32 and char not in "\t\n\r" for char in value):
            raise ValueError("must not hold control characters")
    return value


def _not_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _finite(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be a finite number")
    return value


Text = Annotated[str, BeforeValidator(_text), StringConstraints(strip_whitespace=True, strict=True)]
PromptText = Annotated[
    Text, AfterValidator(_not_empty), Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})
]
MetadataText = Annotated[str, BeforeValidator(_text), StringConstraints(strict=True, max_length=512)]
Scale = Annotated[float, BeforeValidator(_finite)]


class CreateVideo(BaseModel):
    """A prompt and what the preset lets one choose. Fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_REQUEST]})

    prompt: PromptText = Field(description="What the video shows.")
    model: str | None = Field(None, description="Preset; the first of `/v1/models` unless given.")
    seconds: str | int | None = Field(None, description="Duration; a preset has one only.")
    size: str | None = Field(None, description="WIDTHxHEIGHT, one of the preset's sizes.")
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)] | None = Field(
        None, description="Fixes every frame; random unless given, and told in the answer."
    )
    negative_prompt: Text | None = Field(None, description="What the video should not show.")
    steps: dict[str, StrictInt] = Field({}, description="Denoising steps by stage.")
    guidance_scale: dict[str, Scale] = Field({}, description="Guidance scale by stage, 1 to 30.")
    stop_after: StageKind | None = Field(
        None, description="Make a draft: complete with this stage's clip; `continue` goes on."
    )
    best_of: Annotated[StrictInt, Field(ge=1, le=16)] = Field(
        1,
        description="Make so many drafts with the seeds behind `seed`; the best goes on through the cascade.",
    )
    motion: str | None = Field(
        None,
        description="A motion of the preset, by its name in `/v1/models`: how things move, whatever they are.",
    )
    webhook_url: str | None = Field(
        None,
        description="Told by POST how the video ended, signed as Standard Webhooks says.",
        examples=["https://example.com/hooks/cascade"],
    )
    retention_s: Annotated[StrictInt, Field(ge=60)] | None = Field(
        None, description="Keep the ended video this long at most; the service's own limit unless given."
    )
    metadata: dict[MetadataText, MetadataText] = Field(
        {},
        max_length=16,
        description="Up to 16 pairs of text of 512 characters each, handed back as they are.",
    )


class RemixVideo(BaseModel):
    """What to change; the stages before `from_stage` are taken over."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_REMIX]})

    prompt: PromptText | None = Field(None, description="A new prompt; the video's own unless given.")
    from_stage: StageKind | None = Field(
        None, description="The first stage to run again; the preset's first unless given."
    )
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)] | None = Field(
        None, description="The video's own unless given."
    )
    negative_prompt: Text | None = None
    size: str | None = None
    steps: dict[str, StrictInt] = {}
    guidance_scale: dict[str, Scale] = {}
    stop_after: StageKind | None = None
    draft: Annotated[StrictInt, Field(ge=0)] | None = Field(
        None, description="Take over this one of the video's drafts instead of the chosen one."
    )


class ContinueVideo(BaseModel):
    """How a draft goes on."""

    model_config = ConfigDict(extra="forbid")

    draft: Annotated[StrictInt, Field(ge=0)] | None = Field(
        None, description="Index of the draft to go on with; the best one unless given."
    )


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class StageView(BaseModel):
    """One stage of the cascade for one video. Times are Unix seconds."""

    kind: str = Field(examples=["keyframes"])
    status: str = Field(examples=["in_progress"])
    progress: int = Field(ge=0, le=100)
    step: int
    steps: int
    attempts: int
    worker: str | None
    started_at: int | None
    finished_at: int | None
    seconds: float | None = Field(description="From the stage's last start to its end.")
    gpu_seconds: float | None = Field(description="Time on the worker's device.")
    peak_memory_bytes: int | None
    artifact_bytes: int | None = Field(description="Size of the clip handed to the next stage.")
    reused: bool = Field(description="Taken over from the video that this one remixes.")
    preview_url: str | None = Field(description="Presigned URL of the stage's clip as MP4.")

    @classmethod
    def of(cls, stage: StageRecord, conveyor: Conveyor, job_id: str) -> Self:
        seconds = None
        if stage.started_at is not None and stage.finished_at is not None:
            seconds = round(stage.finished_at - stage.started_at, 3)
        return cls(
            kind=stage.kind,
            status=stage.status,
            progress=100 * stage.step // stage.steps,
            step=stage.step,
            steps=stage.steps,
            attempts=stage.attempts,
            worker=stage.worker,
            started_at=_seconds(stage.started_at),
            finished_at=_seconds(stage.finished_at),
            seconds=seconds,
            gpu_seconds=None if stage.gpu_s is None else round(stage.gpu_s, 3),
            peak_memory_bytes=stage.peak_memory_bytes,
            artifact_bytes=stage.artifact and stage.artifact.size_bytes,
            reused=stage.reused,
            preview_url=_url(stage.preview, conveyor, f"{job_id}-{stage.kind}.mp4"),
        )


class DraftView(BaseModel):
    """One of several clips of the first stage."""

    index: int
    seed: int = Field(description="A video of this seed alone has the same clip.")
    score: float = Field(description="By the preset's scorer; higher is better.")
    chosen: bool = Field(description="The cascade goes on with it.")
    preview_url: str | None
    thumbnail_url: str | None

    @classmethod
    def of(cls, index: int, draft: Draft, job: Job, conveyor: Conveyor) -> Self:
        name = f"{job.id}-draft-{index}"
        return cls(
            index=index,
            seed=draft.seed,
            score=round(draft.score, 4),
            chosen=job.stages[0].chosen == index,
            preview_url=_url(draft.files.get("mp4"), conveyor, f"{name}.mp4"),
            thumbnail_url=_url(draft.files.get("thumbnail"), conveyor, f"{name}.webp"),
        )


class Usage(BaseModel):
    """What the video has cost so far; stages taken over from another video cost nothing."""

    gpu_seconds: float
    gpu_seconds_by_stage: dict[str, float]

    @classmethod
    def of(cls, job: Job) -> Self:
        spent = {str(s.kind): round(s.gpu_s, 3) for s in job.stages if s.gpu_s is not None and not s.reused}
        return cls(gpu_seconds=round(sum(spent.values()), 3), gpu_seconds_by_stage=spent)


class Video(BaseModel):
    """A video job."""

    id: str = Field(examples=["video_0f3c9f0d8a1b4c5e9d7a6b5c4d3e2f10"])
    object: Literal["video"] = "video"
    model: str = Field(examples=["shapes"])
    status: JobStatus
    progress: int = Field(ge=0, le=100, description="Percent of all denoising steps that are done.")
    created_at: int
    completed_at: int | None
    expires_at: int | None = Field(description="When an ended video is deleted.")
    seconds: str = Field(examples=["3.625"])
    size: str = Field(examples=["256x160"])
    prompt: str
    remixed_from_video_id: str | None = None
    error: VideoError | None
    seed: int
    negative_prompt: str | None
    stop_after: str | None = Field(description="A draft is completed with this stage's clip.")
    best_of: int
    drafts: list[DraftView] = Field(description="With `best_of`, all clips of the first stage.")
    motion: str | None
    webhook_url: str | None
    metadata: dict[str, str]
    stages: list[StageView]
    usage: Usage
    url: str | None = Field(description="Presigned URL of the finished MP4.")

    @classmethod
    def of(cls, job: Job, conveyor: Conveyor) -> Self:
        last = job.request.resolve()[-1]
        completed = job.status is JobStatus.COMPLETED
        failure = job.failure
        return cls(
            id=job.id,
            model=job.request.preset,
            status=job.status,
            progress=100 if completed else math.floor(100 * job.progress),
            created_at=int(job.created_at),
            completed_at=_seconds(job.finished_at) if completed else None,
            expires_at=_seconds(expiry(job, conveyor.settings.result_ttl_s)),
            seconds=duration(last),
            size=str(last.size),
            prompt=job.request.prompt,
            error=None if failure is None else VideoError(code=failure.code, message=failure.message),
            seed=job.request.seed,
            negative_prompt=job.request.negative_prompt,
            remixed_from_video_id=job.remixed_from,
            stop_after=job.request.stop_after,
            best_of=job.request.best_of,
            drafts=[
                DraftView.of(index, draft, job, conveyor) for index, draft in enumerate(job.stages[0].drafts)
            ],
            motion=job.request.motion and job.request.motion.name,
            webhook_url=job.request.webhook_url,
            metadata=dict(job.request.metadata),
            stages=[StageView.of(stage, conveyor, job.id) for stage in job.stages],
            usage=Usage.of(job),
            url=_url(job.result.preview, conveyor, f"{job.id}.mp4") if completed else None,
        )


class VideoList(BaseModel):
    """A page of videos."""

    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(BaseModel):
    """The answer to a deletion."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


class DeliveryView(BaseModel):
    """One try to deliver a webhook. Times are Unix seconds."""

    message_id: str = Field(description="The `webhook-id` header.")
    event: str = Field(examples=["video.completed"])
    attempt: int
    at: int
    seconds: float
    status_code: int | None = Field(description="How the target answered.")
    error: str | None = Field(description="Why there is no answer.")
    taken: bool

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(
            message_id=delivery.message_id,
            event=delivery.event,
            attempt=delivery.attempt,
            at=int(delivery.at),
            seconds=delivery.seconds,
            status_code=delivery.status_code,
            error=delivery.error,
            taken=delivery.taken,
        )


class DeliveryList(BaseModel):
    """The tries to deliver a video's webhooks, oldest first."""

    object: Literal["list"] = "list"
    data: list[DeliveryView]


class WebhookSecret(BaseModel):
    """What signs the webhooks of the caller's project."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class StageModel(BaseModel):
    """A stage of a preset, with its defaults."""

    kind: str
    frames: int
    height: int
    width: int
    fps: int
    steps: int
    max_steps: int
    guidance_scale: float

    @classmethod
    def of(cls, spec: StageSpec) -> Self:
        return cls(**{name: getattr(spec, name) for name in cls.model_fields})


class ModelView(BaseModel):
    """A preset, as a model."""

    id: str = Field(examples=["shapes"])
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "cascade"
    description: str
    sizes: list[str]
    seconds: str
    example_prompts: list[str]
    motions: list[str] = Field(description="Names that `motion` may take.")
    max_prompt_chars: int
    stages: list[StageModel]

    @classmethod
    def of(cls, preset: Preset, conveyor: Conveyor) -> Self:
        return cls(
            id=preset.name,
            description=preset.description,
            sizes=[str(size) for size in preset.sizes],
            seconds=duration(preset.stages[-1]),
            example_prompts=list(preset.example_prompts),
            motions=[motion.name for motion in conveyor.motions.list(preset.name)],
            max_prompt_chars=conveyor.settings.max_prompt_chars,
            stages=[StageModel.of(stage) for stage in preset.stages],
        )


class ModelList(BaseModel):
    """The presets that this deployment offers."""

    object: Literal["list"] = "list"
    data: list[ModelView]


def duration(spec: StageSpec) -> str:
    """Seconds of a clip, as the OpenAI resource writes them."""
    return f"{spec.frames / spec.fps:g}"


def _seconds(time: float | None) -> int | None:
    return None if time is None else int(time)


def _url(artifact: Artifact | None, conveyor: Conveyor, filename: str) -> str | None:
    return None if artifact is None else conveyor.presign(artifact, filename)
