"""Retention: what has ended is kept for a while, then deleted, the tensors first and the rest later.

The two due times of a job are set in the transaction that ends it, and taken back when it goes on.
"""

from __future__ import annotations

import logging
import time

from cascade.workers.errors import JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import IllegalTransition, Job, forget_intermediates
from cascade.workers.jobs.store import INTERMEDIATES_DUE, JOBS_DUE

logger = logging.getLogger(__name__)

BATCH = 100


def sweep(conveyor: Conveyor) -> int:
    """Delete what is due now; how many jobs were touched."""
    return _sweep_intermediates(conveyor) + _sweep_jobs(conveyor)


def _sweep_intermediates(conveyor: Conveyor) -> int:
    due = _due(conveyor, INTERMEDIATES_DUE)
    for job_id in due:
        try:
            conveyor.jobs.update(job_id, _forgotten)
            conveyor.artifacts.delete_tensors(job_id)
        except (JobNotFound, IllegalTransition):
            logger.info("the tensors of %s stay: it is gone or goes on", job_id)
        conveyor.redis.zrem(INTERMEDIATES_DUE, job_id)
    return len(due)


def _sweep_jobs(conveyor: Conveyor) -> int:
    due = _due(conveyor, JOBS_DUE)
    for job_id in due:
        job = conveyor.jobs.get(job_id)
        if job is not None and job.status.final:
            conveyor.delete(job_id)
            logger.info("%s has expired and is deleted", job_id)
        conveyor.redis.zrem(JOBS_DUE, job_id)
    return len(due)


def _due(conveyor: Conveyor, key: str) -> list[str]:
    found = conveyor.redis.zrange(key, "-inf", time.time(), byscore=True, offset=0, num=BATCH)
    return [job_id.decode() for job_id in found]


def _forgotten(job: Job) -> Job:
    if not job.status.final:
        raise IllegalTransition(f"job {job.id} goes on")
    return forget_intermediates(job)
