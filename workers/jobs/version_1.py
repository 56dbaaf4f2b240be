"""Job records of version 1, as written before presets owned the names of their stages, and before plans were stored.

A stage of version 1 has a `kind` from a list that all presets shared. It becomes the stage at the same position of the
preset, and the plan is resolved from the request, as every reader of version 1 did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.models.errors import InvalidParameter
from cascade.models.presets.table import PRESETS
from cascade.workers.errors import UnreadableRecord
from cascade.workers.jobs.plan import dump_plan


def upgrade(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the fields of a record of version 1 into those of version 2.

    Raises:
        UnreadableRecord: its preset is gone, has other stages than the record, or does not offer the request any more.
    """
    try:
        return _upgrade(fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecord(f"the record of job {fields.get('id')} is damaged: {error!r}") from error


def _upgrade(fields: Mapping[str, Any]) -> dict[str, Any]:
    job_id, request = fields["id"], dict(fields["request"])
    kinds: list[str] = [stage["kind"] for stage in fields["stages"]]
    preset = PRESETS.get(request["preset"])
    if preset is None:
        raise UnreadableRecord(
            f'job {job_id} is of preset "{request["preset"]}", which this version of Cascade does not have'
        )
    if len(kinds) != len(preset.stages):
        raise UnreadableRecord(
            f'job {job_id} has {len(kinds)} stages, preset "{preset.name}" now {len(preset.stages)}'
        )
    names = dict(zip(kinds, preset.stage_names, strict=True))

    def name(kind: str) -> str:
        if kind not in names:
            raise UnreadableRecord(f'job {job_id} names a stage "{kind}" that it does not have')
        return names[kind]

    for field in ("steps", "guidance_scale"):
        request[field] = {name(kind): value for kind, value in request.get(field, {}).items()}
    if request.get("stop_after") is not None:
        request["stop_after"] = name(request["stop_after"])
    try:
        plan = preset.resolve(request.get("size"), request["steps"], request["guidance_scale"])
    except InvalidParameter as error:
        raise UnreadableRecord(f"job {job_id} cannot be planned any more: {error}") from error
    failure = fields.get("failure")
    if failure is not None and failure.get("stage") is not None:
        failure = {**failure, "stage": name(failure["stage"])}
    return {
        **fields,
        "request": request,
        "plan": dump_plan(plan),
        "stages": [
            {"name": name(stage["kind"]), **{key: value for key, value in stage.items() if key != "kind"}}
            for stage in fields["stages"]
        ],
        "failure": failure,
    }
