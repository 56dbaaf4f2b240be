"""Ids of videos on the command line are ids, not paths."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cascade.service.cli.main import app


@pytest.mark.parametrize("command", ["download", "get", "watch", "cancel"])
@pytest.mark.parametrize(
    "video_id", ["../escaped", "/tmp/escaped", "a/b", "..", ".", "a?b", "a#b", "a\nb", "", "%2e%2e", "a" * 65]
)
def test_an_id_is_no_path(
    command: str, video_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [command, "--url", "http://127.0.0.1:9", "--", video_id])
    assert done.exit_code == 2
    assert list(tmp_path.parent.glob("escaped*")) == []


def test_a_download_writes_its_file_alone(
    gateway_url: str, client: object, cascade: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = cascade("download", "video_0", cwd=tmp_path, CASCADE_URL=gateway_url)
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []  # a refusal leaves no file
