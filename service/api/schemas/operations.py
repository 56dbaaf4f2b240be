"""Answers for operators: queues, workers, unfinished videos and dead letters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from cascade.service.api.schemas.stages import NamedStage


class QueueView(BaseModel):
    """The queue of one stage of a preset."""

    queue: str = Field(description="`model.stage`, what `cascade worker` takes.")
    model: str
    stage: str
    title: str = Field(description="The stage's name for people.")
    waiting: int
    running: int
    done_last_hour: int = Field(description="Runs of the stage that were completed in the last 60 minutes.")
    workers: int
    busy: int


class WorkerView(BaseModel):
    """A live worker."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str
    queues: list[str]
    state: str = Field(description="loading, ready or busy.", examples=["busy"])
    video_id: str | None
    queue: str | None = Field(
        None, description="Of the stage that it runs; null like the rest where it runs none."
    )
    stage: str | None = None
    title: str | None = Field(None, description="The stage's name for people.")
    since: float | None = Field(None, description="When it began the stage, in Unix seconds.")
    step: int | None = None
    steps: int | None = None


class StageTimes(NamedStage):
    """Where a stage of a video stands. Times are Unix seconds."""

    status: str
    step: int
    steps: int
    attempts: int
    worker: str | None
    started_at: float | None
    finished_at: float | None


class OwnContent(BaseModel):
    """What of a video only its own project sees: null in answers to keys of other projects, or without the scope `read`."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    prompt: str | None = None
    preview_url: str | None = Field(None, description="URL of the clip of its last completed stage.")
    thumbnail_url: str | None = None


class ActiveVideo(OwnContent):
    """An unfinished video."""

    id: str
    project: str
    model: str
    status: str
    created_at: float
    stages: list[StageTimes]


class DeadLetterView(OwnContent):
    """A video that failed for good."""

    video_id: str
    project: str | None = Field(description="Null if its record cannot be read.")
    model: str | None
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
