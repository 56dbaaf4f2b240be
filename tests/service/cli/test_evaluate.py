"""`cascade evaluate` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cascade.models.evaluation.suites import available_suites
from cascade.service.cli.main import app


def test_a_report_to_compare_with_is_asked_for_before_anything_is_made(tmp_path: Path) -> None:
    output = tmp_path / "new"
    result = CliRunner().invoke(app, ["evaluate", "-o", str(output), "--against", str(tmp_path)])
    assert result.exit_code == 2
    assert "report.json" in result.output
    assert not output.exists()


def test_the_command_line_tells_what_a_suite_is() -> None:
    checks = CliRunner().invoke(app, ["evaluate", "--help"], env={"COLUMNS": "2000"}).output
    for name, suite in available_suites().items():
        assert f"{name}: {suite.description}" in checks


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--part", "3/2", "is no part such as 1/2"), ("--until", "editing", "has no stage")],
)
def test_a_part_or_stage_that_there_is_not_is_refused(
    option: str, value: str, words: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(
        app, ["evaluate", "-o", str(tmp_path / "new"), option, value], env={"COLUMNS": "2000"}
    )
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "new").exists()
