"""The settings as a table for people."""

from __future__ import annotations

from pydantic import SecretStr

from cascade.workers.settings import Settings


def settings_table() -> str:
    """Write variable, default and meaning of every setting as a Markdown table."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `CASCADE_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join(rows)


def _default(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return f"`{value}`"
