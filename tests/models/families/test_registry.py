"""The registry: every line leads somewhere, nothing heavy is imported before it is used, and others may add a line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from cascade.models.families.family import Family, StageEntry
from cascade.models.families.registry import (
    FAMILIES,
    families,
    family_of,
    load_stage,
    offered,
    options_types,
    stage_class,
    stage_entry,
)
from cascade.models.presets.table import PRESETS
from cascade.models.stage import Stage


def references(family: Family) -> Iterator[str]:
    """Every name of an object that a family gives, of itself and of its stages."""
    entries: list[Family | StageEntry] = [family, *family.stages.values()]
    for entry in entries:
        for field in fields(entry):
            value = getattr(entry, field.name)
            if isinstance(value, str) and field.name != "room":
                yield value
            elif isinstance(value, dict) and field.name != "stages":
                yield from value.values()


EVERY_REFERENCE = [
    pytest.param(
        name, reference, id=f"{name}{reference}" if reference.startswith(".") else f"{name} {reference}"
    )
    for name in FAMILIES
    for reference in sorted(set(references(families()[name])))
]


@pytest.mark.parametrize(("name", "reference"), EVERY_REFERENCE)
def test_every_reference_leads_to_an_object(name: str, reference: str) -> None:
    assert families()[name].part(reference) is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_every_stage_of_a_preset_has_an_entry_of_its_family(preset: str) -> None:
    for spec in PRESETS[preset].stages:
        _, entry = stage_entry(type(spec.options))
        assert entry.stage
        assert issubclass(stage_class(spec), Stage)
        assert type(spec.options) in options_types().values()
    assert PRESETS[preset] in family_of(preset).presets


def test_options_are_found_by_family_and_name() -> None:
    for name, options in options_types().items():
        family, _, kind = name.partition("/")
        assert options.__name__ == kind
        assert options in families()[family].stages


def test_preset_names_are_of_one_family_each() -> None:
    names = [preset.name for family in families().values() for preset in family.presets]
    assert len(names) == len(set(names)) == len(PRESETS)
    with pytest.raises(KeyError):
        family_of("nothing")


def test_families_without_a_field_are_left_out() -> None:
    conversions = offered("conversion")
    assert conversions.keys() == {name for name, family in families().items() if family.conversion}
    assert all(callable(conversion) for conversion in conversions.values())


def run(script: str, *path: Path) -> str:
    """Run a script in a process of its own; return what it prints."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_rooms_and_presets_import_no_torch() -> None:
    script = """
import sys
from cascade.models.families.registry import families, options_types
from cascade.models.presets.table import PRESETS
assert PRESETS and families() and options_types()
print(sorted({"torch", "diffusers", "transformers"} & sys.modules.keys()))
"""
    assert run(script) == "[]"


ROOM = """
from dataclasses import dataclass

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.spec import Preset, Size, StageOptions, StageSpec


@dataclass(frozen=True)
class DotOptions(StageOptions):
    pass


DOTS = Preset(
    name="dots",
    description="Dots.",
    sizes=(Size(16, 16),),
    stages=(
        StageSpec(
            name="dot",
            title="Dot",
            checkpoint="dots",
            text_encoder="dots",
            frames=1,
            height=16,
            width=16,
            fps=1,
            steps=1,
            max_steps=1,
            guidance_scale=1.0,
            options=DotOptions(),
        ),
    ),
)
FAMILY = Family(room=__name__, presets=(DOTS,), stages={DotOptions: StageEntry(".stages:Dot")})
"""
STAGES = '''
class Dot:
    """A stage as far as the registry cares."""

    def __init__(self, spec):
        self.spec = spec

    @classmethod
    def load(cls, spec, checkpoints, execution):
        return cls(spec)
'''


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package that has a family, as pip would have installed it."""
    (tmp_path / "dots").mkdir()
    (tmp_path / "dots" / "__init__.py").write_text(ROOM)
    (tmp_path / "dots" / "stages.py").write_text(STAGES)
    information = tmp_path / "dots-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: dots\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[cascade.families]\ndots = dots:FAMILY\n")
    return tmp_path


def test_a_package_beside_this_one_adds_a_family_by_its_entry_point(installed: Path) -> None:
    script = """
import sys
from cascade.models.families.registry import families, load_stage, options_types
from cascade.models.presets.table import get_preset
preset = get_preset("dots")
print(list(families())[-1], preset.queues[0], "dots/DotOptions" in options_types(), "dots.stages" in sys.modules)
stage = load_stage(preset.stages[0], None, None)
print(type(stage).__module__, stage.spec.name)
"""
    assert run(script, installed).splitlines() == ["dots dots.dot True False", "dots.stages dot"]
    assert "dots" not in run("from cascade.models.presets.table import PRESETS; print(list(PRESETS))")


def test_a_stage_is_loaded_by_its_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PRESETS["wan"].stages[0]
    loaded = object()
    monkeypatch.setattr(stage_class(spec), "load", lambda *_: loaded)
    assert load_stage(spec, None, None) is loaded  # type: ignore[arg-type]
