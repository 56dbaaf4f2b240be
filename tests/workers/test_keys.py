"""All Redis keys, and all scripts with the keys they take, are in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cascade.workers import keys

FLOOR = Path(keys.__file__).parent
SCRIPTS = sorted(FLOOR.rglob("*.lua"))


def test_no_other_file_spells_a_key() -> None:
    others = [path for path in FLOOR.rglob("*.py") if path.name != "keys.py"]
    assert len(others) > 30
    assert [path.name for path in others if re.search(r"""["']cascade:""", path.read_text())] == []


def test_the_table_has_every_key() -> None:
    table = keys.__doc__ or ""
    values = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)]
    functions = [value for name, value in vars(keys).items() if name.endswith("_key")]
    values += [function(*("{x}",) * function.__code__.co_argcount) for function in functions]
    documented = {re.sub(r"\{\w+\}", "{x}", key) for key in re.findall(r"\| `([^`]+)` \|", table)}
    earlier = {keys.EARLIER_ACTIVE}
    prefixes = {keys.LINES, keys.RATE_LIMITS}
    assert {value for value in values if value not in documented} - earlier == prefixes
    assert f"`{keys.RATE_LIMITS}..." in table


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_which_keys_and_arguments_it_takes_and_what_it_returns(script: Path) -> None:
    text = script.read_text()
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("--"))
    assert "Returns" in head
    for name in ("KEYS", "ARGV"):
        indices = {int(index) for index in re.findall(rf"{name}\[(\d)\]", text)}
        said = re.search(rf"^-- {name}: (.*\n(?:--  .*\n)*)", head, re.MULTILINE)
        assert said is not None
        documented = {int(index) for index in re.findall(r"(?:^|[,;]\s(?:--\s+)?)(\d) ", said[1])}
        assert indices <= documented, (script.name, name)
        assert indices == documented or "every" in said[1], (script.name, name)
