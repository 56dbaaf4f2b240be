"""Which parts of a preset are trained, in which order, by which recipes. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.errors import TrainingError
from cascade.models.families.registry import family_of, offered
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.presets.table import get_preset
from cascade.models.training.recipe import Recipe


def recipes_of(preset: str) -> Mapping[str, Recipe]:
    """Return the recipes of a preset by trained part, in the order in which they are trained.

    Raises:
        InvalidParameter: there is no such preset.
        TrainingError: there are no recipes for it.
    """
    recipes: dict[str, Mapping[str, Recipe]] = {}
    for by_preset in offered("recipes").values():
        recipes |= by_preset
    if get_preset(preset).name not in recipes:
        raise TrainingError(f'there is no recipe for preset "{preset}"; choose one of {", ".join(recipes)}')
    return recipes[preset]


def recipe_of(preset: str, part: str) -> Recipe:
    """Return the recipe of a part.

    Raises:
        InvalidParameter: there is no such preset.
        TrainingError: there is no recipe for the part.
    """
    recipes = recipes_of(preset)
    if part not in recipes:
        raise TrainingError(f'there is no recipe for "{part}"; choose one of {", ".join(recipes)}')
    return recipes[part]


def trainable_parts(preset: str) -> tuple[str, ...]:
    """Return the parts of a preset that are trained, in order: names of stages, and of further parts of checkpoints.

    Raises:
        InvalidParameter: there is no such preset.
        TrainingError: there are no recipes for it.
    """
    return tuple(recipes_of(preset))


def motion_stage(preset: str) -> AnyStageSpec:
    """Return the stage of a preset that learns motions.

    Raises:
        InvalidParameter: there is no such preset.
        TrainingError: the preset takes no motions.
    """
    spec = next((spec for spec in get_preset(preset).stages if spec.options.takes_motion), None)
    if spec is None or family_of(preset).train_motion is None:
        raise TrainingError(f'preset "{preset}" takes no motions')
    return spec
