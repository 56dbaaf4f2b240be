"""Finds the videos of a caller; those of other projects do not exist for them."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Path

from cascade.service.access.authentication import Caller
from cascade.service.problems import ApiError
from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.store import JobStore

VideoId = Annotated[str, Path(examples=["video_0f3c9f0d8a1b4c5e9d7a6b5c4d3e2f10"])]
FORM = re.compile(r"video_[0-9a-f]{32}")


def find_video(video_id: str, jobs: JobStore) -> Job:
    """Find a job of any project. Raises JobNotFound, also for an id of a form that none has."""
    job = jobs.get(checked_id(video_id))
    if job is None:
        raise JobNotFound(video_id)
    return job


def own_video(video_id: str, jobs: JobStore, caller: Caller) -> Job:
    """Find the caller's job. Raises JobNotFound, also for a job of another project."""
    job = find_video(video_id, jobs)
    if job.project != caller.project:
        raise JobNotFound(video_id)
    return job


def checked_id(video_id: str) -> str:
    """Return the id. Raises JobNotFound if it has a form that no video's id has."""
    if FORM.fullmatch(video_id) is None:
        raise JobNotFound(video_id)
    return video_id


def check_stage(job: Job, stage: str, field: str) -> None:
    """Raise ApiError naming the request's `field` if the job has no such stage."""
    if stage not in job.stage_names:
        stages = ", ".join(job.stage_names)
        detail = f'preset "{job.request.preset}" has no stage "{stage}"; its stages are {stages}'
        raise ApiError(422, detail, field)
