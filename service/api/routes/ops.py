"""`/v1/ops`: what operators look at and do. All projects are seen; prompts are not."""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from cascade.models.presets.table import StageKind, get_preset
from cascade.service.access.authentication import Admin
from cascade.service.api.dependencies import Connected
from cascade.service.api.openapi import problems
from cascade.service.api.routes.videos import VideoId
from cascade.service.problems import ApiError
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.dead_letters import DeadLetter
from cascade.workers.jobs.record import Job, StageRecord
from cascade.workers.queue.heartbeat import Worker

router = APIRouter(prefix="/v1/ops", tags=["operations"])


class QueueView(BaseModel):
    """The queue of one stage."""

    kind: str = Field(examples=["keyframes"])
    waiting: int
    workers: int
    busy: int


class WorkerView(BaseModel):
    """A live worker; `state` is loading, ready or busy."""

    name: str = Field(examples=["keyframes@host-4711"])
    kind: str
    presets: list[str]
    state: str = Field(examples=["busy"])
    video_id: str | None

    @classmethod
    def of(cls, worker: Worker) -> Self:
        return cls(
            name=worker.name,
            kind=worker.kind,
            presets=list(worker.presets),
            state=worker.state,
            video_id=worker.job_id,
        )


class StageTimes(BaseModel):
    """Where a stage of a video stands. Times are Unix seconds."""

    kind: str
    status: str
    step: int
    steps: int
    attempts: int
    worker: str | None
    started_at: float | None
    finished_at: float | None

    @classmethod
    def of(cls, stage: StageRecord) -> Self:
        return cls(**{name: getattr(stage, name) for name in cls.model_fields})


class ActiveVideo(BaseModel):
    """An unfinished video."""

    id: str
    project: str
    model: str
    status: str
    created_at: float
    stages: list[StageTimes]

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            project=job.project,
            model=job.request.preset,
            status=job.status,
            created_at=job.created_at,
            stages=[StageTimes.of(stage) for stage in job.stages],
        )


class DeadLetterView(BaseModel):
    """A video that was given up."""

    video_id: str
    stage: str | None
    code: str = Field(examples=["retries_exhausted"])
    message: str
    at: float

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        failure = letter.failure
        return cls(
            video_id=letter.job_id,
            stage=failure.stage,
            code=failure.code,
            message=failure.message,
            at=letter.at,
        )


class Operations(BaseModel):
    """The state of the conveyor."""

    queues: list[QueueView]
    workers: list[WorkerView]
    videos: list[ActiveVideo] = Field(description="Unfinished videos, oldest first.")
    dead_letters: list[DeadLetterView]


class Replayed(BaseModel):
    """A dead letter that goes on."""

    video_id: str
    status: str


@router.get("", responses=problems(401, 403, 503))
def operations(_: Admin, conveyor: Connected) -> Operations:
    """Queues, workers, unfinished videos and dead letters."""
    workers = conveyor.live_workers()
    kinds = dict.fromkeys(kind for name in conveyor.settings.presets for kind in get_preset(name).kinds)
    return Operations(
        queues=[_queue(kind, workers, conveyor) for kind in kinds],
        workers=[WorkerView.of(worker) for worker in workers],
        videos=[ActiveVideo.of(job) for job in conveyor.active_jobs()],
        dead_letters=[DeadLetterView.of(letter) for letter in conveyor.dead_letters.list()],
    )


@router.post("/dead_letters/{video_id}/replay", responses=problems(401, 403, 404, 409, 429, 503))
def replay_dead_letter(video_id: VideoId, _: Admin, conveyor: Connected) -> Replayed:
    """Let a failed video go on from the stage where it failed, with fresh attempts."""
    _letter(video_id, conveyor)
    return Replayed(video_id=video_id, status=conveyor.replay(video_id).status)


@router.delete("/dead_letters/{video_id}", status_code=204, responses=problems(401, 403, 404, 503))
def dismiss_dead_letter(video_id: VideoId, _: Admin, conveyor: Connected) -> None:
    """Take a dead letter off the list; the video stays failed."""
    _letter(video_id, conveyor)
    conveyor.dead_letters.remove(video_id)


def _letter(video_id: str, conveyor: Conveyor) -> None:
    if all(letter.job_id != video_id for letter in conveyor.dead_letters.list()):
        raise ApiError(404, f'there is no dead letter of a video "{video_id}"')


def _queue(kind: StageKind, workers: list[Worker], conveyor: Conveyor) -> QueueView:
    of_kind = [worker for worker in workers if worker.kind == kind]
    busy = sum(worker.state == "busy" for worker in of_kind)
    return QueueView(kind=kind, waiting=conveyor.waiting(kind), workers=len(of_kind), busy=busy)
