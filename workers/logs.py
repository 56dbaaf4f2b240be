"""One logging configuration for workers, housekeeper and gateway; every line names the job that it is about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(job_id)s]: %(message)s"
NO_JOB = "-"
_job_id: ContextVar[str] = ContextVar("job_id", default=NO_JOB)


def configure_logging(level: str) -> None:
    """Log to standard error from `level` (DEBUG, INFO, WARNING, ERROR) on."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_job_id)
    handler.setFormatter(LineFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the URLs of webhooks' targets


class LineFormatter(logging.Formatter):
    """Writes a record as one line, whatever its words hold; the lines of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return _escape(super().formatMessage(record))

    def formatException(self, exception: Any) -> str:  # noqa: N802
        lines = super().formatException(exception).splitlines()
        return "\n".join(f"    {_escape(line)}" for line in lines)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return "\n".join(f"    {_escape(line)}" for line in stack_info.splitlines())


def _escape(text: str) -> str:
    """Escape what ends a line, moves the cursor of a terminal or shows nothing."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


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
