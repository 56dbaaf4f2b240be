"""`/v1/models`: the presets that this deployment offers."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import RegisteredMotions, ServiceSettings
from cascade.service.api.openapi import problems
from cascade.service.api.schemas.presets import ModelList
from cascade.service.api.views import model_view

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=problems(401, 403, 503))
def list_models(_: Reader, motions: RegisteredMotions, settings: ServiceSettings) -> ModelList:
    """List presets with their stages, sizes and limits."""
    return ModelList(
        data=[
            model_view(
                get_preset(name), [motion.name for motion in motions.list(name)], settings.max_prompt_chars
            )
            for name in settings.presets
        ]
    )
