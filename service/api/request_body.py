"""The body of a request that makes a video: JSON, or a form (the OpenAI clients send a form).

A form writes mappings as JSON, `steps={"keyframes": 3}`, or entry by entry, `steps[keyframes]=3`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, JsonValue, ValidationError
from starlette.datastructures import FormData

from cascade.service.problems import ApiError

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
MEDIA_TYPES = ("application/json", *FORM_TYPES)
ENTRY = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class FormFields:
    """How a model's fields are written in a form.

    Attributes:
        json: those that take no plain text: numbers and mappings.
        mappings: those whose entries may be fields of their own; true for each if their values are text.
    """

    json: frozenset[str]
    mappings: dict[str, bool]


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """Make a dependency that reads and validates the body.

    It raises ApiError for a body that is no JSON, no form that can be read, or of another media type, and
    RequestValidationError if a field is wrong.
    """

    async def read_body(request: Request) -> Body:
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        body: JsonValue
        if media_type in FORM_TYPES:
            async with request.form() as form:
                body = _parse_form(form, form_fields(model))
        elif media_type == "application/json":
            try:
                body = json.loads(await request.body())
            except (ValueError, RecursionError) as error:
                raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from error
        else:
            raise ApiError(415, f'media type "{media_type}" is not supported; send JSON or a form')
        try:
            return model.model_validate(body)
        except ValidationError as error:
            faults = [
                {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_context=False)
            ]
            raise RequestValidationError(faults) from error

    return read_body


@cache
def form_fields(model: type[BaseModel]) -> FormFields:
    """Find out from a model's JSON Schema how a form writes its fields."""
    json_fields, mappings = set(), {}
    for name, schema in model.model_json_schema()["properties"].items():
        options = schema.get("anyOf", [schema])
        if all(option.get("type") != "string" for option in options):
            json_fields.add(name)
        for option in options:
            if option.get("type") == "object":
                mappings[name] = option.get("additionalProperties", {}).get("type") == "string"
    return FormFields(frozenset(json_fields), mappings)


def _parse_form(form: FormData, fields: FormFields) -> dict[str, JsonValue]:
    body: dict[str, Any] = {}
    for name, value in form.multi_items():
        if not isinstance(value, str):
            raise ApiError(422, f"{name} is a file; no field takes one", name)
        entry = ENTRY.fullmatch(name)
        if entry is None and ("[" in name or "]" in name):
            raise ApiError(422, f'"{name}" is no field; an entry of a mapping is written as FIELD[KEY]', name)
        if entry is not None and entry[1] not in fields.mappings:
            mappings = ", ".join(fields.mappings)
            raise ApiError(422, f"{entry[1]} has no entries; these have: {mappings}", name)
        if entry is None:
            target, key, as_json = body, name, name in fields.json
        else:
            target, key, as_json = body.setdefault(entry[1], {}), entry[2], not fields.mappings[entry[1]]
        if not isinstance(target, dict) or key in target:
            raise ApiError(422, f"{name} is there twice", name)
        target[key] = _parse_json(name, value) if as_json else value
    return body


def _parse_json(name: str, value: str) -> JsonValue:
    try:
        content: JsonValue = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, f"{name} in a form is written as JSON: {error}", name) from error
    return content
