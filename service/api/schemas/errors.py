"""Refusals: one document that is RFC 9457 problem details and the OpenAI error body at once."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ErrorBody(BaseModel):
    """The error as OpenAI's clients read it."""

    message: str = Field(examples=["prompt: must not be empty"])
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(None, examples=["prompt"])
    code: str | None = Field(None, examples=["unprocessable_content"])


class FieldError(BaseModel):
    """One thing that is wrong with the request."""

    field: str = Field(examples=["prompt"])
    detail: str = Field(examples=["must not be empty"])


class Problem(BaseModel):
    """Problem details (RFC 9457), with every wrong field, and the same as an OpenAI error."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str
    errors: list[FieldError] = []
    error: ErrorBody
