"""Answers of routes that are asked often."""

from __future__ import annotations

from fastapi import Response
from pydantic import BaseModel


def json_answer(content: BaseModel, response: Response) -> Response:
    """Write an answer as JSON, once: FastAPI would validate it again, in a thread of its own.

    Args:
        response: the one that the route's dependencies have put headers into.
    """
    return Response(content.model_dump_json(), media_type="application/json", headers=dict(response.headers))
