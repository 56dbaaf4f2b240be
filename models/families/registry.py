"""The registry of families: one line each. Nothing of a family but its presets is imported before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.spec import AnyStageSpec, StageOptions

if TYPE_CHECKING:
    from cascade.models.checkpoints.loading import Checkpoints
    from cascade.models.runtime.execution import Execution
    from cascade.models.stage import AnyStage

FAMILIES = {
    "shapes": "cascade.models.families.shapes:FAMILY",
    "show1": "cascade.models.families.show1:FAMILY",
    "fusion_frames": "cascade.models.families.fusion_frames:FAMILY",
    "first_adjacent": "cascade.models.families.first_adjacent:FAMILY",
    "latent_diffusion": "cascade.models.families.latent_diffusion:FAMILY",
    "pipelines": "cascade.models.families.pipelines:FAMILY",
}
"""The families of this package. One that is installed beside it has such a line in its entry points."""

ENTRY_POINTS = "cascade.families"


@lru_cache(maxsize=1)
def families() -> Mapping[str, Family]:
    """Return all families by name, those of other installed packages last."""
    lines = FAMILIES | {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    return {name: resolve_name(line) for name, line in lines.items()}


def family_of(preset: str) -> Family:
    """Return the family that has the preset. Raises KeyError if there is none."""
    return {member.name: family for family in families().values() for member in family.presets}[preset]


def stage_entry(options: type[StageOptions]) -> tuple[Family, StageEntry]:
    """Return the family and entry of a kind of stage. Raises KeyError for options that no family has."""
    return {kind: (family, entry) for family in families().values() for kind, entry in family.stages.items()}[
        options
    ]


def options_types() -> Mapping[str, type[StageOptions]]:
    """Return the types of options that stored plans may name, by `family/TypeName`."""
    return {
        f"{name}/{options.__name__}": options
        for name, family in families().items()
        for options in family.stages
    }


def stage_class(spec: AnyStageSpec) -> type[AnyStage]:
    """Return the class of the stage that runs a spec. Imports torch."""
    family, entry = stage_entry(type(spec.options))
    kind: type[AnyStage] = family.part(entry.stage)
    return kind


def load_stage(spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> AnyStage:
    """Load the networks of one stage. Raises CheckpointError naming what is missing."""
    return stage_class(spec).load(spec, checkpoints, execution)


def offered(field: str) -> dict[str, Any]:
    """Import what every family names in a field of `Family`, by family; families without it are left out."""
    return {
        name: family.part(reference)
        for name, family in families().items()
        if (reference := getattr(family, field)) is not None
    }
