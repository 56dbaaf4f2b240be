"""Reading the `config.json` of a published UNet into a typed, frozen configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from cascade.models.errors import CheckpointError

T = TypeVar("T")


def from_config(cls: type[T], config: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]]) -> T:
    """Fill the dataclass `cls` from a published configuration.

    Args:
        config: the parsed `config.json`; keys that begin with `_` are bookkeeping and passed over.
        fixed: keys that the networks do not vary, with the values they have here.
    Raises:
        CheckpointError: a key that would change the arithmetic is not known or has another value, or one is missing.
    """
    own = fields(cls)  # type: ignore[arg-type]
    own_keys = {field.name for field in own}
    missing = [field.name for field in own if field.default is MISSING and config.get(field.name) is None]
    if missing:
        raise CheckpointError(f"{cls.__name__} needs the configuration keys {', '.join(missing)}")
    for key, value in config.items():
        if key.startswith("_") or key in own_keys:
            continue
        if key not in fixed:
            raise CheckpointError(f'{cls.__name__} does not know the configuration key "{key}" (= {value!r})')
        if fixed[key] and value not in fixed[key]:
            raise CheckpointError(
                f"{cls.__name__} supports {key} = {fixed[key]}; the checkpoint has {value!r}"
            )
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items() if key in own_keys}
    return cls(**values)


def per_level(value: T | tuple[T, ...], levels: int, key: str) -> tuple[T, ...]:
    """Spread a configuration value over the levels, unless it is one per level. Raises CheckpointError on a misfit."""
    values = value if isinstance(value, tuple) else (value,) * levels
    if len(values) != levels:
        raise CheckpointError(f"{key} has {len(values)} values for {levels} levels")
    return values
