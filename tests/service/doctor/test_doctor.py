"""`cascade doctor`: what is well is said, and what is broken is named, with what to do."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr

from cascade.models.presets.table import get_preset
from cascade.service.doctor.finding import Finding, State
from cascade.service.doctor.machine import check_clock, check_disks, check_port, check_python
from cascade.service.doctor.networks import check_encoders, check_torch, check_weights
from cascade.service.doctor.packages import check_packages
from cascade.service.doctor.servers import check_objects, check_redis
from cascade.service.stack.embedded import Credentials, free_port
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.service.conftest import Invoke


def states(findings: Iterable[Finding]) -> list[State]:
    return [finding.state for finding in findings]


def the_wrong(findings: Iterable[Finding]) -> Finding:
    """Return the one finding that is wrong; each has a remedy."""
    (wrong,) = (finding for finding in findings if finding.state is State.WRONG)
    assert wrong.remedy
    return wrong


def test_real_servers_are_well(connected: Servers) -> None:
    redis, objects = check_redis(connected.settings), check_objects(connected.settings)
    assert State.WRONG not in states((*redis.findings, *objects.findings))
    assert redis.findings[0].text.startswith(("Valkey", "Redis"))
    assert connected.settings.s3_bucket in objects.findings[0].text
    assert redis.ahead_s is not None and abs(redis.ahead_s) < 5
    assert objects.ahead_s == 0


def test_servers_that_are_away_or_refuse_are_named(settings: Settings) -> None:
    def changed(**changes: object) -> Settings:
        return settings.model_copy(update=changes)

    away = f"redis://127.0.0.1:{free_port()}/0"
    wrong = the_wrong(check_redis(changed(redis_url=SecretStr(away))).findings)
    assert "CASCADE_REDIS_URL" in wrong.remedy
    address = settings.redis_address
    stranger = f"redis://:other@{address.host}:{address.port}/0"
    assert "password" in the_wrong(check_redis(changed(redis_url=SecretStr(stranger))).findings).text
    wrong = the_wrong(check_objects(changed(s3_endpoint_url=f"http://127.0.0.1:{free_port()}")).findings)
    assert "CASCADE_S3_ENDPOINT_URL" in wrong.remedy
    wrong = the_wrong(check_objects(changed(s3_secret_key=SecretStr("other"))).findings)
    assert "CASCADE_S3_SECRET_KEY" in wrong.remedy
    (fine,) = check_objects(changed(s3_bucket="not-made-yet")).findings
    assert (fine.state, "not-made-yet" in fine.text) == (State.OK, True)


def test_without_servers_those_of_up_are_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    (redis,), (objects,) = check_redis(settings).findings, check_objects(settings).findings
    assert states((redis, objects)) == [State.OK, State.OK]
    assert "alkey" in redis.text and "rclone" in objects.text
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "cascade[embedded]" in the_wrong(check_objects(settings).findings).remedy


def test_the_stack_beside_is_found(servers: Credentials, tmp_path: Path, connected: Servers) -> None:
    from tests.service.stack.test_running import store

    store(servers, tmp_path)
    settings = Settings.model_validate({"data_dir": tmp_path, "s3_bucket": connected.settings.s3_bucket})
    assert check_redis(settings).findings[0].text.endswith("answers")
    assert connected.settings.s3_bucket in check_objects(settings).findings[0].text


def test_a_disk_without_room_or_rights_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path / "new" / "data"})
    assert states(check_disks(settings)) == [State.OK, State.OK]
    full = next(check_disks(settings, least_bytes=1 << 60))
    assert (full.state, "CASCADE_DATA_DIR" in full.remedy) == (State.WRONG, True)
    (tmp_path / "file").touch()
    blocked = next(check_disks(Settings.model_validate({"data_dir": tmp_path / "file" / "data"})))
    assert "cannot be written" in blocked.text


def test_a_port_is_free_a_gateways_or_somebody_elses(gateway_url: str) -> None:
    def on(port: int) -> Finding:
        return check_port(Settings.model_validate({"port": port}))

    assert on(free_port()).state is State.OK
    assert "a gateway answers" in on(int(gateway_url.rsplit(":", 1)[1])).text
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = on(other.getsockname()[1])
    assert (taken.state, "CASCADE_PORT" in taken.remedy) == (State.WRONG, True)


def test_a_clock_that_is_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_clock().state is State.OK
    assert check_clock("Redis", ahead_s=2).state is State.OK
    assert "90 s behind the clock of Redis" in check_clock("Redis", ahead_s=90).text
    assert "90 s ahead of the clock of Redis" in check_clock("Redis", ahead_s=-90).text
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert "before this program was installed" in check_clock().text


def test_packages_that_are_missing_or_old_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert State.WRONG not in states([check_python(), *check_packages()])
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    needs = (
        "Requires-Dist: typer>=99\nRequires-Dist: no-such-package\nRequires-Dist: torch; extra == 'worker'\n"
    )
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: broken\nVersion: 1\n{needs}")
    monkeypatch.syspath_prepend(str(tmp_path))
    wrong = the_wrong(check_packages("broken"))
    assert "no-such-package is missing" in wrong.text and ">=99" in wrong.text
    assert "torch" not in wrong.text and "pip install" in wrong.remedy
    assert "pip install" in the_wrong(check_packages("nowhere-installed")).remedy


def test_encoders_write_and_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    well = check_encoders()
    assert (well.state, ".mp4, .webm, .gif, .webp" in well.text) == (State.OK, True)
    monkeypatch.setitem(sys.modules, "av", None)
    assert "cascade[worker]" in the_wrong([check_encoders()]).remedy


def test_a_device_computes_and_one_that_is_not_there_is_named() -> None:
    assert State.WRONG not in states(check_torch(Settings(device="cpu")))
    wrong = the_wrong(check_torch(Settings(device="xpu:7")))
    assert "xpu:7" in wrong.text and "CASCADE_DEVICE" in wrong.remedy


def test_weights_are_whole_missing_or_damaged(tmp_path: Path) -> None:
    assert State.WRONG not in states(check_weights(Settings(checkpoints_dir=tmp_path)))
    first = get_preset(Settings().presets[0]).stages[0].checkpoint
    damaged = tmp_path / str(first)
    damaged.mkdir(parents=True)
    (damaged / "SHA256SUMS").write_text(f"{'0' * 64}  unet/config.json\n")
    wrong = the_wrong(check_weights(Settings(checkpoints_dir=tmp_path)))
    assert str(damaged) in wrong.text and "unet/config.json is missing" in wrong.text
    assert "checkpoints pull" in wrong.remedy


def test_the_command_ends_with_1_if_anything_is_wrong(
    invoke: Invoke, settings: Settings, tmp_path: Path
) -> None:
    env = {
        "CASCADE_REDIS_URL": settings.redis_url.get_secret_value(),
        "CASCADE_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
        "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value() if settings.s3_access_key else "",
        "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else "",
        "CASCADE_DATA_DIR": str(tmp_path),
        "CASCADE_PORT": "0",
    }
    well = invoke("doctor", **env)
    assert well.exit_code == 0, well.output
    assert well.stdout.rstrip().endswith("nothing is wrong")
    assert max(map(len, well.stdout.splitlines())) <= 80
    broken = invoke("doctor", **env, CASCADE_DEVICE="xpu:7")
    assert broken.exit_code == 1
    assert "1 thing is wrong" in broken.stdout and "→ set CASCADE_DEVICE" in broken.stdout
    unusable = invoke("doctor", **env, CASCADE_LEASE_S="soon")
    assert unusable.exit_code == 1
    assert "CASCADE_LEASE_S" in unusable.stdout and "cascade settings" in unusable.stdout


def test_secrets_are_not_shown(invoke: Invoke, tmp_path: Path) -> None:
    shown = invoke(
        "doctor",
        CASCADE_REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0",
        CASCADE_S3_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}",
        CASCADE_S3_ACCESS_KEY="hunter3",
        CASCADE_S3_SECRET_KEY="hunter4",
        CASCADE_DATA_DIR=str(tmp_path),
    )
    assert shown.exit_code == 1
    assert "hunter" not in shown.output
