"""Which checkpoints a preset needs."""

from __future__ import annotations

from cascade.models.checkpoints.files import Requirement
from cascade.models.families.registry import stage_class
from cascade.models.presets.spec import Preset


def requirements(preset: Preset) -> list[Requirement]:
    """List what the stages of a preset load, each checkpoint once, in order. Imports the stages, and so torch."""
    by_name = {
        requirement.name: requirement
        for spec in preset.stages
        for requirement in stage_class(spec).requirements(spec)
    }
    return list(by_name.values())
