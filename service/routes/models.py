"""`/v1/models`: the presets that this deployment offers."""

from __future__ import annotations

from fastapi import APIRouter

from models.presets import get_preset
from service.authentication import Reader
from service.dependencies import Connected
from service.openapi import problems
from service.schemas import ModelList, ModelView

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=problems(401, 403, 503))
def list_models(_: Reader, conveyor: Connected) -> ModelList:
    """Presets with their stages, sizes and limits."""
    presets = [get_preset(name) for name in conveyor.settings.presets]
    return ModelList(data=[ModelView.of(preset, conveyor) for preset in presets])
