"""One logging configuration for workers, housekeeper and gateway; every line names the job that it is about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(job_id)s]: %(message)s"
NO_JOB = "-"
_job_id: ContextVar[str] = ContextVar("job_id", default=NO_JOB)


def configure_logging(level: str) -> None:
    """Log to standard error from `level` (DEBUG, INFO, WARNING, ERROR) on."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_job_id)
    logging.basicConfig(level=level, format=FORMAT, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the URLs of webhooks' targets


@contextmanager
def logging_job(job_id: str) -> Iterator[None]:
    """Let the lines that are logged inside name the job."""
    token = _job_id.set(job_id)
    try:
        yield
    finally:
        _job_id.reset(token)


def _add_job_id(record: logging.LogRecord) -> bool:
    record.job_id = _job_id.get()
    return True
