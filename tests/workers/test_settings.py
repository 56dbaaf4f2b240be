"""Settings that cannot work are refused at start, and secrets do not show."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cascade.workers.settings import Settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"presets": "shapes,dreams"}, "unknown presets"),
        ({"port": 70000}, "port"),
        ({"stage_execution": {"upscaling": {}}}, 'unknown stage "upscaling"; choose from shapes.keyframes'),
        ({"stage_execution": {"keyframes": {"colour": 1}}}, "keyframes: unknown colour; choose from device"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**values)


def test_a_queue_goes_before_the_name_of_its_stage() -> None:
    changes: dict[str, Any] = {
        "keyframes": {"dtype": "float16", "compile": True},
        "shapes.keyframes": {"dtype": "bfloat16"},
    }
    settings = Settings(device="cpu", stage_execution=changes)
    shapes, show_1 = settings.execution("shapes", "keyframes"), settings.execution("show-1", "keyframes")
    assert (shapes.dtype, shapes.compile, shapes.device) == ("bfloat16", True, "cpu")
    assert show_1.dtype == "float16"
    assert settings.execution("shapes", "interpolation").dtype == "auto"


def test_secrets_do_not_show(settings: Settings) -> None:
    assert settings.s3_secret_key is not None
    shown = repr(settings) + str(settings)
    assert settings.s3_secret_key.get_secret_value() not in shown
    assert settings.redis_url.get_secret_value() not in shown
