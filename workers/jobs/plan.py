"""Plans as they are stored: stage specs as JSON, with a tag that names the type of each stage's options."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cascade.models.families.registry import options_types
from cascade.models.presets.spec import AnyStageSpec, StageSpec
from cascade.workers.errors import UnreadableRecord

TAG = "type"


def dump_plan(plan: Iterable[AnyStageSpec]) -> list[dict[str, Any]]:
    """Write specs as JSON objects; their options carry the tag `family/TypeOfOptions`.

    Raises:
        UnreadableRecord: no family has the type of a spec's options, so that nobody could read it back.
    """
    tags = {options: tag for tag, options in options_types().items()}
    stored = []
    for spec in plan:
        if type(spec.options) not in tags:
            raise UnreadableRecord(
                f"no family has the options {type(spec.options).__name__} of stage {spec.name}"
            )
        fields = asdict(spec)
        fields["options"] = {TAG: tags[type(spec.options)]} | fields["options"]
        stored.append(fields)
    return stored


def load_plan(stored: Iterable[Mapping[str, Any]]) -> tuple[AnyStageSpec, ...]:
    """Read specs.

    Raises:
        UnreadableRecord: a tag or a field that this version does not know, or a missing or wrong value.
    """
    return tuple(_load_spec(json.dumps(fields)) for fields in stored)


@lru_cache(maxsize=1024)  # jobs with the same choices have the same plan
def _load_spec(content: str) -> AnyStageSpec:
    stored: Mapping[str, Any] = json.loads(content)
    options = dict(stored.get("options") or {})
    tag = options.pop(TAG, None)
    if tag not in options_types():
        raise UnreadableRecord(
            f'stage "{stored.get("name")}" is of the kind "{tag}", which this version of Cascade does not know; '
            f"it knows {', '.join(options_types())}"
        )
    fields = {**stored, "options": options}
    try:
        spec = _adapter(tag).validate_python(fields)
    except ValidationError as error:
        raise UnreadableRecord(f'the plan of stage "{stored.get("name")}" is damaged: {error}') from error
    unknown = _unknown_fields(fields, asdict(spec))
    if unknown:  # to leave them out could change what the stage makes
        raise UnreadableRecord(
            f'the plan of stage "{spec.name}" has fields that this version of Cascade does not know: '
            f"{', '.join(unknown)}"
        )
    return spec


@cache
def _adapter(tag: str) -> TypeAdapter[AnyStageSpec]:
    options = options_types()[tag]
    return TypeAdapter(StageSpec[options])  # type: ignore[valid-type]


def _unknown_fields(stored: Mapping[str, Any], loaded: Mapping[str, Any], prefix: str = "") -> list[str]:
    unknown = [prefix + name for name in stored if name not in loaded]
    for name, value in stored.items():
        if isinstance(value, Mapping) and isinstance(loaded.get(name), Mapping):
            unknown += _unknown_fields(value, loaded[name], f"{prefix}{name}.")
    return unknown
