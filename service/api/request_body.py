"""The body of a request for a new video: JSON, or a form (the OpenAI clients send a form)."""

from __future__ import annotations

import json

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue, ValidationError
from starlette.datastructures import FormData

from cascade.service.api.schemas.requests import CreateVideo
from cascade.service.problems import ApiError

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
MEDIA_TYPES = ("application/json", *FORM_TYPES)


async def read_body(request: Request) -> CreateVideo:
    """Read and validate the body.

    Raises:
        ApiError: it is no JSON, no form that can be read, or of another media type.
        RequestValidationError: a field is wrong.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    body: JsonValue
    if media_type in FORM_TYPES:
        body = _parse_form(await request.form())
    elif media_type in ("application/json", ""):
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from error
    else:
        raise ApiError(415, f'media type "{media_type}" is not supported; send JSON or a form')
    try:
        return CreateVideo.model_validate(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_context=False)]
        raise RequestValidationError(faults) from error


def _parse_form(form: FormData) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = {}
    for name, value in form.multi_items():
        if not isinstance(value, str):
            raise ApiError(422, f"{name} is a file; no field takes one", name)
        if name in body:
            raise ApiError(422, f"{name} is there twice", name)
        body[name] = _parse_json(name, value) if name in JSON_FIELDS else value
    return body


def _parse_json(name: str, value: str) -> JsonValue:
    try:
        content: JsonValue = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, f"{name} in a form is written as JSON: {error}", name) from error
    return content


def _json_fields() -> frozenset[str]:
    """Find the fields that take no plain text."""
    properties = CreateVideo.model_json_schema()["properties"]
    return frozenset(
        name
        for name, schema in properties.items()
        if all(option.get("type") != "string" for option in schema.get("anyOf", [schema]))
    )


JSON_FIELDS = _json_fields()
"""Fields that a form writes as JSON: numbers and mappings."""
