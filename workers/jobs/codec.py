"""Job records as they are stored: JSON with a version; those of version 1 are upgraded when they are read."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from cascade.workers.errors import UnreadableRecord
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.version_1 import upgrade

VERSION = 2
CODEC = TypeAdapter(Job)


def dump_job(job: Job) -> bytes:
    """Write a record of this version."""
    return json.dumps({"version": VERSION, **CODEC.dump_python(job, mode="json")}).encode()


def load_job(content: bytes) -> Job:
    """Read a record.

    Raises:
        UnreadableRecord: it is of a version, preset or kind of stage that this version does not know, or is damaged.
    """
    fields = _parse(content)
    version = fields.pop("version", 1)
    if version not in (1, VERSION):
        raise UnreadableRecord(
            f"job {fields.get('id')} has a record of version {version}; this version of Cascade reads 1 and {VERSION}"
        )
    try:
        return CODEC.validate_python(upgrade(fields) if version == 1 else fields)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableRecord(f"the record of job {fields.get('id')} is damaged: {error}") from error


def version_of(content: bytes) -> int:
    """Return the version of a stored record. Raises UnreadableRecord if it is damaged."""
    version: int = _parse(content).get("version", 1)
    return version


def project_of(content: bytes) -> str:
    """Return the project of a stored record of any version. Raises UnreadableRecord if it is damaged."""
    project: str = _parse(content).get("project", "default")
    return project


def _parse(content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"a job record is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableRecord("a job record is no JSON object")
    return fields
