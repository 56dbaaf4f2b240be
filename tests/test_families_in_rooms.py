"""General code names no family, no preset, no stage and no data set of one: a family's knowledge is in its room.

The names are read from the registry, so that a family that is added is held to it too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.models.families.registry import families
from cascade.models.presets.table import PRESETS

ROOT = Path(__file__).parent.parent
GENERAL = [
    *("models/layers", "models/diffusion", "models/checkpoints", "models/training", "models/evaluation"),
    *("models/runtime", "models/text", "models/media", "workers", "service"),
]
FILES = sorted(
    [
        *(ROOT / "models").glob("*.py"),
        *(ROOT / "models" / "presets" / name for name in ("spec.py", "table.py")),
        ROOT / "models" / "families" / "family.py",
        *(file for folder in GENERAL for file in (ROOT / folder).rglob("*.py")),
        *(file for ending in ("js", "html") for file in (ROOT / "service" / "web").rglob(f"*.{ending}")),
    ]
)
DATA = {"moving-shapes"}
NAMES = (
    set(families())
    | set(PRESETS)
    | {stage for preset in PRESETS.values() for stage in preset.stage_names}
    | DATA
)
ENGLISH = {"shapes", "pipelines", "interpolation", "decoding", "text-to-video"}
"""Names that are also words of the field: in prose they name nothing of a family, and tensors have `shapes` too."""

WHERE_TO = (
    "general code names what is one family's. Move it to the family's room below models/families, to its preset "
    "file, or to a field of its FAMILY in the room's __init__, and reach it through models/families/registry.py"
)


def words(identifier: str) -> list[str]:
    """Split `snake_case`, `CamelCase` and `kebab-case` into lower-case words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+", identifier)]


def named_in_identifier(identifier: str) -> set[str]:
    """Find the names that an identifier contains, word by word."""
    own = words(identifier)
    return {
        name
        for name in NAMES
        if contains(own, words(name)) and not (name == "shapes" and re.fullmatch(r"[a-z_]+", identifier))
    }


def contains(sequence: list[str], part: list[str]) -> bool:
    return any(sequence[start : start + len(part)] == part for start in range(len(sequence)))


def named_in_text(text: str) -> set[str]:
    """Find the names in a string: anywhere, but for English words, which count in code and in quotes alone."""
    found = set()
    for name in NAMES:
        spelled = re.escape(name).replace(r"\-", "[-_ ]")
        if name in ENGLISH and re.search(r"\s", text.strip()):
            pattern = rf"[\"'`]{spelled}[\"'`/.]|\b{spelled}[./][a-z]"
        else:
            pattern = rf"(?<![a-z0-9-]){spelled}(?![a-z0-9-])"
        if re.search(pattern, text, re.IGNORECASE):
            found.add(name)
    return found


def strings_and_identifiers(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Give (line, text, is_identifier) of all but docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    docstrings |= {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # below an attribute
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                yield line, text, False
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield line, name, True
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield line, name, True
            case ast.keyword(arg=str(name)):
                yield getattr(node.value, "lineno", 0), name, True
            case ast.Import(names=aliases):
                yield from ((line, alias.name, True) for alias in aliases)
            case ast.ImportFrom(module=module, names=aliases):
                yield from ((line, alias.name, True) for alias in aliases)
                if module and (room := re.match(r"cascade\.models\.(?:families|presets)\.(\w+)", module)):
                    yield line, room[1].title(), True  # of a module, `shapes` is the family


def names_in(file: Path) -> Iterator[tuple[int, str]]:
    """Find (line, name) of everything that belongs to a family."""
    if file.suffix != ".py":
        for number, line in enumerate(file.read_text().splitlines(), 1):
            yield from ((number, name) for name in named_in_text(f" {line} x"))
        return
    for number, text, is_identifier in strings_and_identifiers(ast.parse(file.read_text())):
        for name in named_in_identifier(text) if is_identifier else named_in_text(text):
            yield number, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_general_code_names_nothing_of_a_family(file: Path) -> None:
    own = str(file.relative_to(ROOT))
    faults = sorted({f"{own}:{line} names {name}" for line, name in names_in(file)})
    assert faults == [], WHERE_TO


@pytest.mark.parametrize(
    "line",
    [
        'if preset == "shapes": pass',
        'path = "shapes/keyframes"',
        'queue = "shapes.paint"',
        "from cascade.models.families.shapes import unet",
        "from cascade.models.presets.show1 import SHOW_1",
        "from cascade.models.presets.pipelines import WAN",
        "class ShapesThing: pass",
        "num_keyframes = keyframes.shape[1]",
        "def super_resolution(): pass",
        "isinstance(options, ExpertTranslationOptions)",
        'raise ValueError("only the keyframes stage takes a motion")',
        'print(f"run cascade worker {name} for show-1")',
        'help = "such as `shapes`"',
        'rooms = "cascade.models.families.show1:FAMILY"',
        "MovingShapes(8)",
    ],
)
def test_a_line_that_names_a_family_is_noticed(line: str, tmp_path: Path) -> None:
    (tmp_path / "general.py").write_text(line + "\n")
    assert list(names_in(tmp_path / "general.py"))


@pytest.mark.parametrize(
    "line",
    [
        "shapes = {name: tensor.shape for name, tensor in tensors.items()}",
        "def weight_shapes(folder): return {}",
        'raise ValueError("tensors of other shapes than the network has")',
        'description = "Self-hosted text-to-video generation"',
        '"""Keyframes of Show-1 are one example."""',
        "functional.interpolate(frames, size)",
        "from cascade.models.families.registry import families",
        "from cascade.models.presets.spec import Preset",
    ],
)
def test_a_line_that_names_none_is_not(line: str, tmp_path: Path) -> None:
    (tmp_path / "general.py").write_text(line + "\n")
    assert list(names_in(tmp_path / "general.py")) == []
