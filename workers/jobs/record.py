"""The job record: what was asked for, the plan that was made of it, and how far it is.

A job goes queued -> in_progress -> completed | failed | cancelled; a stage of it goes
pending -> queued -> in_progress -> completed | failed | cancelled, and falls back from in_progress to queued when its
worker is lost or hands it back. `transitions.py` has the changes, `codec.py` the stored form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from cascade.models.presets.spec import MAX_SEED, AnyStageSpec, queue_name
from cascade.workers.jobs.plan import dump_plan, load_plan

Plan = Annotated[tuple[AnyStageSpec, ...], PlainValidator(load_plan), PlainSerializer(dump_plan)]


class JobStatus(StrEnum):
    """The status of a job."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Return whether the job is over."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class StageStatus(StrEnum):
    """The status of a stage of a job."""

    PENDING = "pending"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


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
    """One of several outputs that the first stage made of one prompt.

    Attributes:
        seed: 0 to MAX_SEED.
        score: 0 to 1, higher is better.
        artifact: its tensors; None when they have expired.
        files: its renditions by kind: `mp4`, `webp` (animated), `png` (contact sheet), `thumbnail`.
    """

    seed: int
    score: float
    artifact: Artifact | None
    files: Mapping[str, Artifact]


@dataclass(frozen=True)
class StageOutput:
    """The stored output of a finished stage, and its cost.

    Attributes:
        artifact: its tensors.
        files: its renditions by kind, as those of a draft.
        gpu_s: seconds on the device.
        peak_memory_bytes: of the device, or of the process on a CPU.
        drafts: all outputs of the first stage, if several were asked for.
        chosen: index of the best draft, whose artifact and files are the stage's own.
    """

    artifact: Artifact
    files: Mapping[str, Artifact]
    gpu_s: float
    peak_memory_bytes: int
    drafts: tuple[Draft, ...] = ()
    chosen: int | None = None


@dataclass(frozen=True)
class Motion:
    """A registered adapter for a preset's stages; `sha256` is of its bytes, `added_at` in Unix seconds."""

    preset: str
    name: str
    sha256: str
    added_at: float

    @property
    def key(self) -> str:
        """Name the object that has its bytes."""
        return f"motions/{self.preset}/{self.name}/{self.sha256[:32]}.safetensors"


@dataclass(frozen=True)
class JobRequest:
    """The request of a user.

    Attributes:
        preset: its name.
        prompt, negative_prompt: as the user wrote them; without a negative prompt every stage takes its own.
        seed: 0 to MAX_SEED.
        size: the last stage's `WIDTHxHEIGHT`; None takes the preset's own.
        steps, guidance_scale: by stage, where they differ from the preset's.
        stop_after: the stage that makes a draft: the job is completed with its output, and may be continued.
        best_of: how many outputs of the first stage are made; the best goes on.
        motion: an adapter for the stages that take one.
        webhook_url: called when the job has ended.
        retention_s: shortens how long the ended job is stored.
        metadata: the user's own words, returned with the job.
    """

    preset: str
    prompt: str
    seed: int
    negative_prompt: str | None = None
    size: str | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    guidance_scale: Mapping[str, float] = field(default_factory=dict)
    stop_after: str | None = None
    best_of: int = 1
    motion: Motion | None = None
    webhook_url: str | None = None
    retention_s: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        """List the seeds of the first stage's drafts: the request's and those after it."""
        return tuple((self.seed + draft) % (MAX_SEED + 1) for draft in range(self.best_of))

    @property
    def conditions(self) -> Mapping[str, str | None]:
        """Return what outputs depend on beside the plan and the seeds."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "motion": None if self.motion is None else self.motion.sha256,
        }


@dataclass(frozen=True)
class StageRecord:
    """The progress of one stage of one job.

    Attributes:
        name: of the stage.
        steps: denoising steps in all.
        step: those that are done.
        attempts: how often a worker began, but for those that handed it back.
        worker: the name of the last one.
        started_at, finished_at: Unix seconds.
        retry_at: when a stage that is queued again may be tried, in Unix seconds; None is at once.
        waiting_for: what is away that the stage needs, such as `Redis`; None while nothing is.
        waiting_since: since when it is away, in Unix seconds.
        artifact, files, gpu_s, peak_memory_bytes, drafts: of its `StageOutput`; the tensors expire first.
        chosen: index of the draft that the cascade goes on with.
        reused: its output was copied from the job that this one remixes.
    """

    name: str
    steps: int
    status: StageStatus = StageStatus.PENDING
    step: int = 0
    attempts: int = 0
    worker: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    retry_at: float | None = None
    waiting_for: str | None = None
    waiting_since: float | None = None
    gpu_s: float | None = None
    peak_memory_bytes: int | None = None
    artifact: Artifact | None = None
    files: Mapping[str, Artifact] = field(default_factory=dict)
    reused: bool = False
    drafts: tuple[Draft, ...] = ()
    chosen: int | None = None

    @property
    def preview(self) -> Artifact | None:
        """Return the stage's output as MP4, once it is stored."""
        return self.files.get("mp4")


@dataclass(frozen=True)
class Failure:
    """Why a job failed: a stable code, what happened in words, and the stage where."""

    code: str
    message: str
    stage: str | None = None


@dataclass(frozen=True)
class Job:
    """The record that the gateway shows and the workers move along.

    Attributes:
        id: such as `video_` and 32 hex digits.
        request: what the user asked for.
        plan: the preset's stages with the request's choices, resolved once when the job was made; a preset that
            changes later changes no job.
        stages: how far each stage of the plan is, in the same order.
        created_at, started_at, finished_at: Unix seconds.
        failure: why it failed, if it did.
        remixed_from: the job whose first outputs it took over.
        project: only API keys of the project see the job.
        writes: marks of the last changes of the record, by which a writer whose answer was lost finds its own.
    """

    id: str
    request: JobRequest
    plan: Plan
    stages: tuple[StageRecord, ...]
    created_at: float
    status: JobStatus = JobStatus.QUEUED
    started_at: float | None = None
    finished_at: float | None = None
    failure: Failure | None = None
    remixed_from: str | None = None
    project: str = "default"
    writes: tuple[str, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages)

    def stage(self, name: str) -> StageRecord:
        """Return the record of a stage. Raises ValueError if the job has none such."""
        return self.stages[self.stage_names.index(name)]

    def spec(self, name: str) -> AnyStageSpec:
        """Return the plan of a stage. Raises ValueError if the job has none such."""
        return self.plan[self.stage_names.index(name)]

    def queue(self, name: str) -> str:
        """Name the queue of a stage, `preset.stage`."""
        return queue_name(self.request.preset, name)

    def next_stage(self, name: str) -> str | None:
        """Name the stage after another, None after the last."""
        return next(iter(self.stage_names[self.stage_names.index(name) + 1 :]), None)

    def previous_stage(self, name: str) -> str | None:
        """Name the stage before another, None before the first."""
        return next(reversed(self.stage_names[: self.stage_names.index(name)]), None)

    @property
    def open_stage(self) -> str | None:
        """Name the stage that is queued or running; a job has one until it ends."""
        states = (StageStatus.QUEUED, StageStatus.IN_PROGRESS)
        return next((stage.name for stage in self.stages if stage.status in states), None)

    @property
    def stored_bytes(self) -> int:
        """Count the bytes of all files and tensors that the record names; drafts share theirs with their stage."""
        named = [artifact for stage in self.stages for artifact in (stage.artifact, *stage.files.values())]
        for draft in (draft for stage in self.stages for draft in stage.drafts):
            named += [draft.artifact, *draft.files.values()]
        stored = {artifact.key: artifact.size_bytes for artifact in named if artifact is not None}
        return sum(stored.values())

    @property
    def result(self) -> StageRecord:
        """Return the last completed stage, else the first."""
        completed = [stage for stage in self.stages if stage.status is StageStatus.COMPLETED]
        return completed[-1] if completed else self.stages[0]

    @property
    def seed(self) -> int:
        """Return the seed of the stages after the first: that of the chosen draft."""
        first = self.stages[0]
        return self.request.seed if first.chosen is None else first.drafts[first.chosen].seed

    @property
    def progress(self) -> float:
        """Return 0 to 1: finished denoising steps over all steps of the job, or of the stages of a draft."""
        last = self.request.stop_after
        stages = self.stages if last is None else self.stages[: self.stage_names.index(last) + 1]
        return sum(stage.step for stage in stages) / sum(stage.steps for stage in stages)
