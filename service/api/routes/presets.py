"""`/v1/models`: the presets that this deployment offers."""

from __future__ import annotations

from fastapi import APIRouter

from cascade.models.presets.table import get_preset
from cascade.service.access.authentication import Reader
from cascade.service.api.dependencies import RegisteredMotions, ServiceSettings
from cascade.service.api.openapi import problems
from cascade.service.api.schemas.presets import ModelList, ModelView
from cascade.service.api.views import model_view
from cascade.service.problems import ApiError
from cascade.workers.settings import Settings
from cascade.workers.storage.motions import Motions

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", responses=problems(401, 403, 503))
def list_models(_: Reader, motions: RegisteredMotions, settings: ServiceSettings) -> ModelList:
    """List presets with their stages, sizes and limits."""
    return ModelList(data=[_model(name, motions, settings) for name in settings.presets])


@router.get("/{model}", responses=problems(401, 403, 404, 503))
def get_model(model: str, _: Reader, motions: RegisteredMotions, settings: ServiceSettings) -> ModelView:
    """Show a preset with its stages, sizes and limits."""
    if model not in settings.presets:
        presets = ", ".join(settings.presets)
        raise ApiError(404, f'there is no preset "{model}"; choose one of {presets}', "model")
    return _model(model, motions, settings)


def _model(name: str, motions: Motions, settings: Settings) -> ModelView:
    names = [motion.name for motion in motions.list(name)]
    return model_view(get_preset(name), names, settings.max_prompt_chars, settings.max_best_of)
