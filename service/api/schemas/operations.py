"""Answers for operators: queues, workers, unfinished videos and dead letters."""

from __future__ import annotations

from pydantic import BaseModel, Field

from cascade.service.api.schemas.stages import NamedStage


class QueueView(BaseModel):
    """The queue of one stage of a preset."""

    queue: str = Field(description="`model.stage`, what `cascade worker` takes.")
    model: str
    stage: str
    title: str = Field(description="The stage's name for people.")
    waiting: int
    workers: int
    busy: int


class WorkerView(BaseModel):
    """A live worker."""

    name: str
    queues: list[str]
    state: str = Field(description="loading, ready or busy.", examples=["busy"])
    video_id: str | None


class StageTimes(NamedStage):
    """Where a stage of a video stands. Times are Unix seconds."""

    status: str
    step: int
    steps: int
    attempts: int
    worker: str | None
    started_at: float | None
    finished_at: float | None


class ActiveVideo(BaseModel):
    """An unfinished video."""

    id: str
    project: str
    model: str
    status: str
    created_at: float
    stages: list[StageTimes]


class DeadLetterView(BaseModel):
    """A video that failed for good."""

    video_id: str
    stage: str | None
    code: str = Field(examples=["retries_exhausted"])
    message: str
    at: float


class Operations(BaseModel):
    """The state of queues, workers and unfinished videos; long lists are cut, and counted."""

    queues: list[QueueView]
    workers: list[WorkerView]
    videos: list[ActiveVideo] = Field(
        description="Some unfinished videos, oldest first; of many, those that workers have go before others."
    )
    unfinished: int = Field(description="Unfinished videos in all.", examples=[3])
    dead_letters: list[DeadLetterView] = Field(description="The last ones, oldest first.")
    failed: int = Field(description="Dead letters in all.", examples=[0])


class Replayed(BaseModel):
    """A dead letter that goes on."""

    video_id: str
    status: str
