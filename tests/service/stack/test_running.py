"""Commands find the embedded servers of the stack whose data folder is here."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cascade.service.stack.embedded import CREDENTIALS_FILE, Credentials, free_port
from cascade.service.stack.running import StackStopped, settings_of_stack
from cascade.workers.settings import Settings
from tests.service.conftest import Invoke


def store(credentials: Credentials, data_dir: Path) -> None:
    """Write what a stack leaves in its data folder."""
    data_dir.mkdir(exist_ok=True)
    (data_dir / CREDENTIALS_FILE).write_text(json.dumps(asdict(credentials)))


def test_motions_and_keys_find_the_stack_beside_them(
    servers: Credentials, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store(servers, tmp_path / ".cascade")
    for command in ("motions", "keys"):
        listed = invoke(command, "list")
        assert (listed.exit_code, "name" in listed.stdout) == (0, True), listed.output
    store(replace(servers, s3_port=free_port()), tmp_path / ".cascade")
    assert invoke("keys", "list").exit_code == 0  # they need Redis alone
    stopped = invoke("motions", "list")
    assert (stopped.exit_code, "start `cascade up`" in stopped.stderr) == (2, True)


def test_a_server_that_the_settings_name_goes_before_that_of_the_stack(
    servers: Credentials, tmp_path: Path
) -> None:
    named = Settings.model_validate(
        {
            "redis_url": "redis://redis.example:6379/0",
            "s3_endpoint_url": "https://s3.example",
            "data_dir": tmp_path,
        }
    )
    assert settings_of_stack(named) == named
    store(replace(servers, redis_port=free_port()), tmp_path)
    assert settings_of_stack(named) == named
    unnamed = Settings.model_validate({"data_dir": tmp_path})
    with pytest.raises(StackStopped, match="CASCADE_REDIS_URL"):
        settings_of_stack(unnamed)
    store(servers, tmp_path)
    found = settings_of_stack(unnamed)
    assert found.redis_address.port == servers.redis_port
    assert found.s3_endpoint_url == servers.s3_endpoint_url
