"""`/v1/models`: the presets that this deployment offers."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import Connected
from cascade.service.api.openapi import problems
from cascade.service.api.schemas import ModelList, ModelView

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=problems(401, 403, 503))
def list_models(_: Reader, conveyor: Connected) -> ModelList:
    """Presets with their stages, sizes and limits."""
    presets = [get_preset(name) for name in conveyor.settings.presets]
    return ModelList(data=[ModelView.of(preset, conveyor) for preset in presets])
