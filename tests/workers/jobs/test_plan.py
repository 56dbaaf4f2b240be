"""Plans in job records: every preset's comes back as it was, and nothing unknown is misread."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cascade.models.presets.spec import StageOptions
from cascade.models.presets.table import PRESETS, get_preset
from cascade.workers.errors import UnreadableRecord
from cascade.workers.jobs.plan import dump_plan, load_plan


@dataclass(frozen=True)
class HomelessOptions(StageOptions):
    """Options of no family."""


def stored_plan(preset: str = "show-1") -> list[dict[str, Any]]:
    stored: list[dict[str, Any]] = json.loads(json.dumps(dump_plan(get_preset(preset).stages)))
    return stored


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_comes_back_with_the_types_of_its_options(preset: str) -> None:
    assert load_plan(stored_plan(preset)) == get_preset(preset).stages


def test_options_carry_the_family_and_the_type() -> None:
    assert [spec["options"]["type"] for spec in stored_plan("wan")] == ["pipelines/TextToVideoOptions"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("options", "type"), "nobody/NoOptions", 'of the kind "nobody/NoOptions", .* it knows '),
        (("options", "type"), None, 'of the kind "None"'),
        (("options", "first_frame", "sharpness"), 3, "options.first_frame.sharpness"),
        (("sharpness",), 3, "does not know: sharpness"),
        (("steps",), "many", "is damaged"),
    ],
)
def test_a_plan_that_this_version_does_not_know_is_refused(
    path: tuple[str, ...], value: object, message: str
) -> None:
    stored = stored_plan()
    spec = stored[2]
    for name in path[:-1]:
        spec = spec[name]
    spec[path[-1]] = value
    with pytest.raises(UnreadableRecord, match=message):
        load_plan(stored)


def test_options_that_nobody_could_read_back_are_not_written() -> None:
    spec = replace(get_preset("wan").stages[0], options=HomelessOptions())
    with pytest.raises(UnreadableRecord, match="HomelessOptions"):
        dump_plan([spec])
