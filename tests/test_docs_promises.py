"""The pages that make promises name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"


@pytest.mark.parametrize("page", ["reliability.md", "security.md"])
def test_every_test_that_a_promise_names_exists(page: str) -> None:
    code = "\n".join(path.read_text() for path in TESTS.rglob("*.py"))
    existing = set(re.findall(r"def (test_\w+)\(", code))
    named = set(re.findall(r"`(test_\w+)`", (DOCS / page).read_text()))
    assert len(named) > 10
    assert named - existing == set()


@pytest.mark.parametrize("page", ["reliability.md", "security.md"])
def test_every_promise_names_a_test(page: str) -> None:
    rows = [line for line in (DOCS / page).read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise |")]
    assert [row for row in promises if "test_" not in row.rsplit("|", 2)[1]] == []
