"""Additions to FastAPI's OpenAPI document: models of bodies that it does not read or write itself, and examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from cascade.models.presets.spec import Preset
from cascade.service.api.schemas.errors import Problem
from cascade.service.api.schemas.requests import CheckPrompt, CreateVideo, RemixVideo

REFERENCE = "#/components/schemas/{model}"


def reference(model: type[BaseModel]) -> dict[str, str]:
    """Write a JSON Schema that stands for one of the models that `complete_document` adds."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def request_body(model: type[BaseModel], media_types: Iterable[str]) -> dict[str, Any]:
    """Document a body that the route reads itself."""
    content = {media_type: {"schema": reference(model)} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the refusals that a route may answer with."""
    content = {"application/problem+json": {"schema": reference(Problem)}}
    return {status: {"description": "Refused.", "content": content} for status in statuses}


def complete_document(app: FastAPI, preset: Preset) -> None:
    """Add the models that routes refer to, and requests for `preset` as examples."""
    document = app.openapi

    def complete() -> dict[str, Any]:
        content = document()
        _, schemas = models_json_schema(
            [(model, "validation") for model in (CreateVideo, RemixVideo, CheckPrompt, Problem)],
            ref_template=REFERENCE,
        )
        components = content["components"]["schemas"]
        components |= schemas["$defs"]
        create, remix = example_request(preset), example_remix(preset)
        components[CreateVideo.__name__]["examples"] = [create]
        components[RemixVideo.__name__]["examples"] = [remix]
        components[CheckPrompt.__name__]["examples"] = [{name: create[name] for name in ("model", "prompt")}]
        for body in content["paths"]["/v1/videos"]["post"]["requestBody"]["content"].values():
            body["example"] = create
        return content

    app.openapi = complete  # type: ignore[method-assign]


def example_request(preset: Preset) -> dict[str, JsonValue]:
    """Write a request for a new video of a preset."""
    first = preset.stages[0]
    return {
        "prompt": preset.example_prompts[0] if preset.example_prompts else "a calm sea at sunset",
        "model": preset.name,
        "seed": 7,
        "size": str(preset.sizes[0]),
        "steps": {first.name: first.steps},
    }


def example_remix(preset: Preset) -> dict[str, JsonValue]:
    """Write a request for a remix of such a video, from its last stage on."""
    return {"seed": 8, "from_stage": preset.stages[-1].name}
