"""The documentation says what is so: figures come from their sources, and what it names exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from cascade.models.families.registry import families
from cascade.models.presets.table import PRESETS
from cascade.service.cli.main import app
from cascade.service.gateway import create_app
from cascade.workers.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
REPORT = DOCS / "training" / "report.md"  # written by `cascade evaluate`, figures and all
FLOORS = ("models", "workers", "service")
BLOCK = re.compile(r"<!-- (figure|table): .+? -->.*?<!-- /\1 -->", re.DOTALL)
QUALITY = re.compile(r"\d[\d.]*\s(?:%|dB)|\b\d+ of \d+\b(?!×)")
NOT_OF_QUALITY = re.compile(
    r"95 % (confidence )?intervals?"
    r"|2 of 3 shapes"  # in words: squares and triangles, not crosses
    r"|at least 99 % of\s+rendered clips"  # held by the test of the analyser
    r"|count as 60 dB"  # a limit in the code
)
OTHER_VARIABLES = {
    "CASCADE_API_KEY",
    "CASCADE_URL",
    "CASCADE_SCREENSHOTS",  # of the tests
    "CASCADE_REDIS_PASSWORD",  # of docker-compose.yml
    "CASCADE_PUBLISH",
}
Command = Any


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def routes() -> Mapping[str, Any]:
    document = create_app(Settings()).openapi()
    paths: Mapping[str, Any] = document["paths"]
    return paths


# Figures


def test_settings_and_figures_are_as_their_sources_have_them() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "fill_docs.py"), "--check"]
    outcome = subprocess.run(tool, capture_output=True, text=True, cwd=ROOT, check=False)
    assert outcome.returncode == 0, f"{outcome.stdout}{outcome.stderr}\nrun `python tools/fill_docs.py`"


def test_every_figure_of_quality_names_its_source(page: Path) -> None:
    if page == REPORT:
        return
    text = NOT_OF_QUALITY.sub("", BLOCK.sub("", page.read_text()))
    bare = [match[0] for match in QUALITY.finditer(text)]
    assert not bare, f"put them between the marks that tools/fill_docs.py describes: {bare}"


def test_no_mark_begins_a_line(page: Path) -> None:
    """In Markdown a comment at the start of a line ends the paragraph."""
    assert not re.search(r"^<!-- figure", page.read_text(), re.MULTILINE)


def test_the_readme_counts_the_prompts_that_the_report_counts() -> None:
    rows = json.loads((DOCS / "training" / "people.json").read_text())["rows"]
    (correct,) = (
        f"{row['value'] * row['count']:.0f} of {row['count']}"
        for row in rows
        if (row["split"], row["stage"], row["figure"]) == ("people", "keyframes", "all_correct")
    )
    assert f"-->{correct}<!--" in (ROOT / "README.md").read_text()


# Names


def test_every_file_that_is_named_exists(page: Path) -> None:
    names = re.findall(
        r"`((?:models|workers|service|tests|docs|benchmarks|tools|deploy|cascade)/[\w./*-]*)`",
        page.read_text(),
    )
    missing = [name for name in names if not list(ROOT.glob(name.rstrip("/")))]
    assert not missing


def test_every_file_in_the_table_of_a_family_exists() -> None:
    for family in families().values():
        room = import_module(family.room)
        folder = Path(str(room.__file__)).parent
        rows = [line for line in (room.__doc__ or "").splitlines() if line.startswith("|")]
        for name in re.findall(r"`([\w./]+\.py)`", "\n".join(rows)):
            assert (folder / name).is_file() or (ROOT / name).is_file(), f"{family.room}: {name}"


def test_the_paper_section_tables_name_every_section() -> None:
    """Sections 3.1 to 3.7 are the method of Show-1."""
    text = (DOCS / "architecture.md").read_text()
    assert [section for section in range(1, 8) if f"\n| 3.{section} " not in text] == []


def test_every_route_that_is_named_exists(page: Path, routes: Mapping[str, Any]) -> None:
    patterns = [re.sub(r"\{\w+\}", r"[^/]+", path) for path in routes]
    named = re.findall(
        r"(?:localhost:8000|`(?:GET |POST |DELETE )?)(/(?:v1/|healthz|readyz)[^\s`'?]*)", page.read_text()
    )
    assert [path for path in named if not any(re.fullmatch(pattern, path) for pattern in patterns)] == []


def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    for line in command_lines(page.read_text()):
        words = shlex.split(line, comments=True)
        command, rest = find_command(words[1:])
        assert command is not None, line
        options = {
            name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = [
            word for word in rest if word.startswith("-") and word.split("=")[0] not in options | {"--help"}
        ]
        assert not unknown, f"{line}: {unknown}"


def test_every_preset_and_queue_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    queues = {queue for preset in PRESETS.values() for queue in preset.queues}
    for line in command_lines(text):
        words = shlex.split(line, comments=True)
        if words[1:2] == ["worker"]:
            assert set(words[2:]) <= queues, line
        if "--preset" in words[:-1]:
            assert words[words.index("--preset") + 1] in PRESETS, line
    for name in re.findall(r"\b[Pp]resets? `([\w-]+)`", text):
        assert name in PRESETS, name
    for name in re.findall(rf"`((?:{'|'.join(PRESETS)})\.[\w-]+)`", text):
        assert name in queues, name


def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {f"CASCADE_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    named = set(re.findall(r"\bCASCADE_[A-Z0-9_]+\b", page.read_text()))
    assert named <= known


def test_recipes_are_named_for_what_they_train() -> None:
    """The stages that docs/training.md lists are those that the preset has recipes for."""
    family = families()["shapes"]
    assert family.recipes is not None
    recipes = family.part(family.recipes)["shapes"]
    rows = re.findall(
        r"^\| ([a-z-]+(?: translation)?)(?:,[^|]*)? \| [\d,+ ]+ \|",
        (DOCS / "training.md").read_text(),
        re.MULTILINE,
    )
    assert {row.replace(" ", "-") for row in rows} == set(recipes)


def test_every_picture_is_referred_to() -> None:
    texts = "".join(path.read_text() for path in [*PAGES, ROOT / "mkdocs.yml"])
    pictures = [path for path in DOCS.rglob("*") if path.suffix in {".png", ".webp", ".svg", ".gif", ".jpg"}]
    assert pictures
    assert [path.name for path in pictures if path.name not in texts] == []


def test_the_picture_of_the_house_shows_the_rooms_that_there_are() -> None:
    picture = (DOCS / "house.svg").read_text()
    shown = re.findall(r"font-weight='600'>([\w/]+)<", picture)
    rooms: dict[str, set[str]] = {}
    for name in shown:
        if name.endswith("/"):
            floor = name.rstrip("/")
            rooms[floor] = set()
        else:
            rooms[floor].add(name)
    for floor in FLOORS:
        folders = {path.name for path in (ROOT / floor).iterdir() if path.is_dir() and path.name != "weights"}
        assert rooms[floor] == {name for name in folders if not name.startswith((".", "_"))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_first_program_of_a_page_runs(name: str, tmp_path: Path) -> None:
    """In the README it writes a video; in CONTRIBUTING it runs one stage alone."""
    code = python_blocks((ROOT / name).read_text())[0]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=environment, timeout=500)
    if name == "README.md":
        assert (tmp_path / "circle.mp4").stat().st_size > 1000


def test_the_first_program_of_the_readme_has_five_lines() -> None:
    code = python_blocks((ROOT / "README.md").read_text())[0]
    assert len([line for line in code.splitlines() if line]) <= 5


def python_blocks(text: str) -> list[str]:
    """Return the Python programs of a page."""
    return [
        textwrap.dedent(block)
        for block in re.findall(r"^ *```python\n(.+?)^ *```", text, re.DOTALL | re.MULTILINE)
    ]


def command_lines(text: str) -> Iterator[str]:
    """Yield the `cascade` commands in code blocks and code spans of a page."""
    spans = re.findall(r"`(cascade [^`\n]+)`", text)
    blocks = re.findall(r"```(?:sh)?\n(.+?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    for line in [*spans, *lines]:
        line = re.sub(r"^torchrun .*-m (?=cascade)", "", line)
        if re.match(r"cascade [a-z]", line):
            yield line.replace("…", "")


def find_command(words: list[str]) -> tuple[Command | None, list[str]]:
    """Return the command that words name, and the words after its name."""
    command: Command = typer.main.get_command(app)
    context = typer.Context(command)
    while hasattr(command, "get_command"):
        if not words:
            return None, []
        command = command.get_command(context, words[0])
        words = words[1:]
    return command, words
