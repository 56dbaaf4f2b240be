"""Finds the videos of a caller; those of other projects do not exist for them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from cascade.service.access.authentication import Caller
from cascade.service.problems import ApiError
from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.store import JobStore

VideoId = Annotated[str, Path(max_length=64, examples=["video_0f3c9f0d8a1b4c5e9d7a6b5c4d3e2f10"])]


def own_video(video_id: str, jobs: JobStore, caller: Caller) -> Job:
    """Find the caller's job. Raises JobNotFound, also for a job of another project."""
    job = jobs.get(video_id)
    if job is None or job.project != caller.project:
        raise JobNotFound(video_id)
    return job


def check_stage(job: Job, stage: str, field: str) -> None:
    """Raise ApiError naming the request's `field` if the job has no such stage."""
    if stage not in job.stage_names:
        stages = ", ".join(job.stage_names)
        detail = f'preset "{job.request.preset}" has no stage "{stage}"; its stages are {stages}'
        raise ApiError(422, detail, field)
