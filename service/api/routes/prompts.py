"""`/v1/prompts/check`: what a preset will make of a prompt, while it is still being written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import AnyCaller
from cascade.service.api.dependencies import ServiceSettings
from cascade.service.api.job_requests import check_length, offered_model
from cascade.service.api.openapi import problems, request_body
from cascade.service.api.prompt_warnings import all_warnings
from cascade.service.api.request_body import MEDIA_TYPES, body_of
from cascade.service.api.schemas.prompts import PromptCheck
from cascade.service.api.schemas.requests import CheckPrompt

router = APIRouter(prefix="/v1/prompts", tags=["models"])


@router.post(
    "/check",
    responses=problems(400, 401, 413, 415, 422, 429, 503),
    openapi_extra=request_body(CheckPrompt, MEDIA_TYPES),
)
def check_prompt(
    _: AnyCaller, body: Annotated[CheckPrompt, Depends(body_of(CheckPrompt))], settings: ServiceSettings
) -> PromptCheck:
    """Say what of a prompt its video would not show; nothing is queued, and nothing is stored."""
    model, negative_prompt = offered_model(body.model, settings), body.negative_prompt or ""
    check_length("prompt", body.prompt, settings.max_prompt_chars)
    check_length("negative_prompt", negative_prompt, settings.max_prompt_chars)
    stages = get_preset(model).stages
    return PromptCheck(
        warnings=all_warnings(model, body.prompt, negative_prompt, stages, settings.checkpoints_dir)
    )
