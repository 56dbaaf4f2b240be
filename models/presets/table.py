"""All presets, of all families."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.errors import InvalidParameter
from cascade.models.families.registry import families
from cascade.models.presets.spec import Preset

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for family in families().values() for preset in family.presets
}


def get_preset(name: str) -> Preset:
    """The preset called `name`. Raises InvalidParameter naming the presets there are."""
    if name not in PRESETS:
        raise InvalidParameter("model", f'there is no preset "{name}"; choose one of {", ".join(PRESETS)}')
    return PRESETS[name]
