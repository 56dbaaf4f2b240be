"""Which checkpoints a preset needs."""

from __future__ import annotations

from cascade.models.checkpoints.files import Requirement
from cascade.models.families.registry import stage_class
from cascade.models.presets.spec import Preset


def requirements(preset: Preset) -> list[Requirement]:
    """List what the stages of a preset load, each checkpoint once, in order. Imports the stages, and so torch."""
    by_name: dict[str, Requirement] = {}
    for spec in preset.stages:
        for requirement in stage_class(spec).requirements(spec):
            name = requirement.name
            by_name[name] = _joined(by_name[name], requirement) if name in by_name else requirement
    return list(by_name.values())


def _joined(first: Requirement, second: Requirement) -> Requirement:
    """Return what two stages need of one checkpoint."""
    return Requirement(
        first.name,
        tuple(dict.fromkeys(first.parts + second.parts)),
        {**first.networks, **second.networks},
        optional=first.optional and second.optional,
        pipeline=first.pipeline or second.pipeline,
    )
