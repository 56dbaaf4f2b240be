"""What FastAPI's OpenAPI document lacks: the models of bodies that it does not read or write itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cascade.service.problems import Problem

REFERENCE = "#/components/schemas/{model}"


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A JSON Schema that stands for one of the models given to `install_models`."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route may answer with."""
    content = {"application/problem+json": {"schema": reference(Problem)}}
    return {status: {"description": "Refused.", "content": content} for status in statuses}


def install_models(app: FastAPI, *models: type[BaseModel]) -> None:
    """Add the models, and those within them, to the document's components."""
    document = app.openapi

    def with_models() -> dict[str, Any]:
        content = document()
        _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
        content["components"]["schemas"] |= schemas["$defs"]
        return content

    app.openapi = with_models  # type: ignore[method-assign]
