"""Jobs of the preset `shapes`, and what their stages store, for the tests of this floor."""

from __future__ import annotations

from cascade.models.presets.table import get_preset
from cascade.workers.jobs.record import Artifact, Job, JobRequest, StageOutput
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import new_job

REQUEST = JobRequest("shapes", "a red circle", 7)
STAGES = get_preset("shapes").stage_names
FIRST, SECOND = STAGES[:2]
QUEUE = f"shapes.{FIRST}"
FILE = Artifact("s3", "jobs/x/clip", 3, "abc", "video/mp4")
OUTPUT = StageOutput(FILE, {"mp4": FILE}, 1.5, 1000)


def example_job(job_id: str = "video_1", now: float = 100.0) -> Job:
    return new_job(job_id, REQUEST, now)


def stored_job(jobs: JobStore, job_id: str = "video_1") -> Job:
    """Read a job that must be there."""
    job = jobs.get(job_id)
    assert job is not None
    return job
