"""The video resource: that of the OpenAI Videos API, with more to say where a cascade has more."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cascade.service.api.schemas.requests import VideoOptions
from cascade.service.api.schemas.stages import NamedStage


class VideoStatus(StrEnum):
    """Where a video stands."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Return whether nothing more will happen, unless somebody asks for it."""
        return self in (VideoStatus.COMPLETED, VideoStatus.FAILED, VideoStatus.CANCELLED)


class Variant(StrEnum):
    """The files of a video or of one of its stages."""

    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    SPRITESHEET = "spritesheet"
    WEBP = "webp"
    SAFETENSORS = "safetensors"

    @property
    def ending(self) -> str:
        """The ending of the file's name."""
        endings = {Variant.VIDEO: "mp4", Variant.SPRITESHEET: "png", Variant.SAFETENSORS: "safetensors"}
        return endings.get(self, "webp")


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class StageView(NamedStage):
    """One stage of the cascade for one video. Times are Unix seconds."""

    status: str = Field(
        description="pending, queued, in_progress, completed, failed or cancelled.", examples=["in_progress"]
    )
    progress: int = Field(ge=0, le=100)
    step: int
    steps: int
    attempts: int
    worker: str | None
    waiting_for: str | None = Field(
        default=None, description="What is away that the running stage waits for, such as the object store."
    )
    started_at: int | None
    finished_at: int | None
    seconds: float | None = Field(description="From the stage's last start to its end.")
    gpu_seconds: float | None = Field(description="Time on the worker's device.")
    peak_memory_bytes: int | None
    artifact_bytes: int | None = Field(description="Size of the tensors handed to the next stage.")
    reused: bool = Field(description="Copied from the video that this one remixes.")
    preview_url: str | None = Field(
        description="URL of the stage's clip as MP4, for a while and without a key."
    )


class DraftView(BaseModel):
    """One of several clips of the first stage."""

    index: int
    seed: int = Field(description="A video of this seed alone has the same clip.")
    score: float = Field(description="By the preset's scorer; higher is better.")
    chosen: bool = Field(description="The cascade goes on with it.")
    preview_url: str | None
    thumbnail_url: str | None


class Usage(BaseModel):
    """The cost of the video so far; stages reused from another video cost nothing."""

    gpu_seconds: float
    gpu_seconds_by_stage: dict[str, float]


class EstimateView(BaseModel):
    """When a video that is not over yet will go on, and end."""

    position: int | None = Field(
        ge=1,
        description="Place in the line of its stage, 1 is next; null while a worker has it, or where it is delayed.",
    )
    seconds_left: float | None = Field(
        ge=0,
        description="Until the end, by how long such stages took lately; null where a stage was not measured yet.",
    )


class Video(VideoOptions):
    """A video job."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str = Field(examples=["video_0f3c9f0d8a1b4c5e9d7a6b5c4d3e2f10"])
    object: Literal["video"] = "video"
    model: str = Field(description="Name of the preset.")
    status: VideoStatus
    progress: int = Field(ge=0, le=100, description="Percent of all denoising steps that are done.")
    created_at: int
    completed_at: int | None
    expires_at: int | None = Field(description="When an ended video is deleted.")
    seconds: str = Field(examples=["3.625"])
    size: str = Field(examples=["256x160"])
    prompt: str
    warnings: list[str] = Field(
        [],
        description="What of the prompts is not used, because text encoders read no more, or because the preset does not "
        "know it; each begins with `prompt: ` or `negative_prompt: `.",
    )
    remixed_from_video_id: str | None = None
    error: VideoError | None
    seed: int
    negative_prompt: str | None
    stop_after: str | None = Field(description="A draft is completed with this stage's clip.")
    drafts: list[DraftView] = Field(description="With `best_of`, all clips of the first stage.")
    stages: list[StageView]
    estimate: EstimateView | None = Field(None, description="Null once the video is over.")
    usage: Usage
    url: str | None = Field(description="URL of the finished MP4, for a while and without a key.")


class VideoList(BaseModel):
    """A page of videos."""

    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None = Field(description="What the next page comes `after`.")
    has_more: bool


class VideoDeleted(BaseModel):
    """The answer to a deletion."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True
