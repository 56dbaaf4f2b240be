"""What is wrong with settings, in one line for people."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from cascade.workers.addresses import shown


def describe(error: ValidationError) -> str:
    """Name each wrong variable, and say what is allowed."""
    return "; ".join(map(_wrong_variable, error.errors()))


def _wrong_variable(fault: Any) -> str:
    name = "".join(f"CASCADE_{part.upper()}: " for part in fault["loc"][:1])
    return f"{name}{describe_fault(fault)}"


def describe_fault(fault: Any) -> str:
    """Say in one line what is wrong; the value is shown only where it can be no secret."""
    kind, bounds = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        return str(bounds["error"])
    allowed = {
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "float_type": "a number",
        "finite_number": "a finite number",
        "dict_type": 'an object, such as {"PRESET.STAGE": {"dtype": "float16"}}',
        "literal_error": bounds.get("expected"),
        "greater_than_equal": f"{bounds.get('ge')} or more",
        "greater_than": f"more than {bounds.get('gt')}",
        "less_than_equal": f"{bounds.get('le')} or less",
    }.get(kind)
    if allowed is None:
        message: str = fault["msg"]
        return message[:1].lower() + message[1:]
    return f"must be {allowed}, not {shown(fault['input'])}"
