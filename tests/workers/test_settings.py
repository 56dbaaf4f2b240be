"""Settings that cannot work are refused at start, and secrets do not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cascade.workers.addresses import host_in_url
from cascade.workers.settings import Settings, WrongSettings, get_settings


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """What a test reads from the environment is not left to the next."""
    yield
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"presets": "shapes,dreams"}, "unknown presets"),
        ({"port": 70000}, "port"),
        ({"stage_execution": {"upscaling": {}}}, 'unknown stage "upscaling"; choose from shapes.keyframes'),
        ({"stage_execution": {"keyframes": {"colour": 1}}}, "keyframes: unknown colour; choose from device"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**values)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "x", "a whole number"),
        ("PORT", "70000", "65535 or less"),
        ("PORT", "tcp://10.0.0.1:80", "a whole number"),
        ("LEASE_S", "soon", "a number"),
        ("LEASE_S", "inf", "a finite number"),
        ("LEASE_S", "nan", "a finite number"),
        ("LEASE_S", "0", "1.0 or more"),
        ("WEBHOOK_TIMEOUT_S", "0", "more than 0"),
        ("LEASE_S", "1e300", "1000000000 or less"),
        ("RESULT_TTL_S", "9" * 30, "1000000000 or less"),
        ("MAX_BODY_BYTES", "9" * 30, f"{1 << 50} or less"),
        ("COMPILE", "perhaps", "true or false"),
        ("AUTH", "maybe", "'auto', 'on' or 'off'"),
        ("DTYPE", "float64", "'auto', 'float32', 'float16' or 'bfloat16'"),
        ("DEVICE", "gpu", "auto, cpu, cuda"),
        ("DEVICE", "cuda:", "auto, cpu, cuda"),
        ("LOG_LEVEL", "verbose", "DEBUG, INFO, WARNING, ERROR"),
        ("PRESETS", "shapes,dreams", "shapes"),
        ("PRESETS", ",", "shapes"),
        ("STAGE_EXECUTION", "{", "JSON"),
        ("STAGE_EXECUTION", "[1]", "an object"),
        ("STAGE_EXECUTION", '{"keyframes": {"dtype": "f8"}}', "'float16'"),
        ("STAGE_EXECUTION", '{"keyframes": {"device": "gpu"}}', "auto, cpu, cuda"),
        ("STAGE_EXECUTION", '{"keyframes": 1}', "an object"),
        ("HOST", "http://example.com", "an address or a name alone"),
        ("HOST", "127.0.0.1:8000", "an address or a name alone"),
        ("HOST", "[::1]:8000", "an address or a name alone"),
        ("HOST", "127.0.0.1.1", "an address or a name alone"),
        ("HOST", "[127.0.0.1]", "an address or a name alone"),
        ("HOST", "a b", "an address or a name alone"),
        ("S3_ENDPOINT_URL", "localhost:9000", "http:// or https://"),
        ("S3_ENDPOINT_URL", "http://::1:9000", "http:// or https://"),
        ("S3_ENDPOINT_URL", "http://h:x", "http:// or https://"),
        ("S3_PUBLIC_ENDPOINT_URL", "s3://h", "http:// or https://"),
        ("S3_BUCKET", "My_Bucket", "lower-case letters"),
        ("S3_REGION", "eu west", "letters, digits and hyphens"),
        ("MAX_BODY_BYTES", "64KiB", "a whole number"),
        ("ALLOWED_HOSTS", "https://studio.example", "an address or a name alone"),
        ("ALLOWED_HOSTS", "studio.example:8000", "an address or a name alone"),
        ("ALLOWED_HOSTS", "*.example", "an address or a name alone"),
        ("CORS_ORIGINS", "https://*.example.com", "https://example.com"),
        ("CORS_ORIGINS", "https://me@example.com", "https://example.com"),
        ("CORS_ORIGINS", "https://a\nb", "https://example.com"),
        ("ROOT_PATH", "/a\nb", "/cascade"),
        ("PUBLIC_URL", "https://example.com:99999", "http:// or https://"),
        ("PUBLIC_URL", "https://[::1", "http:// or https://"),
        ("STAGE_EXECUTION", "[" * 100_000, "JSON"),
        ("STAGE_EXECUTION", '{"a\\nb": {}}', "unknown stage"),
        ("STAGE_EXECUTION", '{"keyframes": {"a\\nb": 1}}', "unknown"),
    ],
)
def test_a_wrong_variable_is_one_line_that_names_it_and_what_is_allowed(
    variable: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CASCADE_{variable}", value)
    get_settings.cache_clear()
    with pytest.raises(WrongSettings) as refusal:
        get_settings()
    assert str(refusal.value).startswith(f"CASCADE_{variable}: ")
    assert allowed in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASCADE_PORT", "x")
    monkeypatch.setenv("CASCADE_DEVICE", "gpu")
    get_settings.cache_clear()
    with pytest.raises(WrongSettings, match=r"CASCADE_DEVICE: .*; CASCADE_PORT: "):
        get_settings()


@pytest.mark.parametrize("name", ["S3_ACCESS_KEY", "S3_SECRET_KEY"])
def test_half_a_login_is_refused_without_showing_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CASCADE_{name}", "hunter2")
    get_settings.cache_clear()
    with pytest.raises(WrongSettings, match="CASCADE_S3_ACCESS_KEY and CASCADE_S3_SECRET_KEY") as refusal:
        get_settings()
    assert "hunter" not in str(refusal.value)


@pytest.mark.parametrize("variable", ["S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "PUBLIC_URL"])
@pytest.mark.parametrize("url", ["https://user:hunter2@h:9000", "http://h:9000@hunter2/", "hunter2"])
def test_a_password_in_a_server_address_is_refused_without_showing_it(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CASCADE_{variable}", url)
    get_settings.cache_clear()
    with pytest.raises(WrongSettings, match=f"CASCADE_{variable}: ") as refusal:
        get_settings()
    assert "hunter" not in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value", "meant"),
    [
        ("ALLOWED_HOSTS", "Studio.Example., [FD00::1]", ("studio.example", "fd00::1")),
        ("CORS_ORIGINS", "HTTPS://Studio.Example:8443, *", ("https://studio.example:8443", "*")),
        ("TRUSTED_PROXIES", "10.0.0.1, ", ("10.0.0.1",)),
        ("PRESETS", "shapes,wan,shapes", ("shapes", "wan")),
    ],
)
def test_lists_are_understood_as_they_are_meant(
    variable: str, value: str, meant: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CASCADE_{variable}", value)
    get_settings.cache_clear()
    assert getattr(get_settings(), variable.lower()) == meant


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "S3_ENDPOINT_URL", "S3_SECRET_KEY", "REDIS_URL", "STAGE_EXECUTION"):
        monkeypatch.setenv(f"CASCADE_{name}", "")
    get_settings.cache_clear()
    assert get_settings() == Settings()
    assert (get_settings().port, get_settings().s3_endpoint_url) == (8000, None)


@pytest.mark.parametrize(
    ("host", "kept", "authenticates"),
    [
        ("::1", "::1", False),
        ("[::1]", "::1", False),
        ("0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:1", False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", False),
        ("127.8.8.8", "127.8.8.8", False),
        ("LocalHost", "LocalHost", False),
        ("::", "::", True),
        ("[2001:db8::7]", "2001:db8::7", True),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("0.0.0.0", "0.0.0.0", True),
        ("localhost.example.com", "localhost.example.com", True),
    ],
)
def test_hosts_are_addresses_or_names_and_keys_are_needed_off_loopback(
    host: str, kept: str, authenticates: bool
) -> None:
    settings = Settings(host=host)
    assert (settings.host, settings.authenticates) == (kept, authenticates)


@pytest.mark.parametrize(
    ("host", "in_url"),
    [
        ("::1", "[::1]"),
        ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ("127.0.0.1", "127.0.0.1"),
        ("example.com", "example.com"),
    ],
)
def test_an_ipv6_host_stands_in_brackets_in_a_url(host: str, in_url: str) -> None:
    assert host_in_url(host) == in_url


def test_a_queue_goes_before_the_name_of_its_stage() -> None:
    changes: dict[str, Any] = {
        "keyframes": {"dtype": "float16", "compile": True},
        "shapes.keyframes": {"dtype": "bfloat16"},
    }
    settings = Settings(device="cpu", stage_execution=changes)
    shapes, show_1 = settings.execution("shapes", "keyframes"), settings.execution("show-1", "keyframes")
    assert (shapes.dtype, shapes.compile, shapes.device) == ("bfloat16", True, "cpu")
    assert show_1.dtype == "float16"
    assert settings.execution("shapes", "interpolation").dtype == "auto"


def test_secrets_do_not_show(settings: Settings) -> None:
    assert settings.s3_secret_key is not None
    shown = repr(settings) + str(settings)
    assert settings.s3_secret_key.get_secret_value() not in shown
    assert settings.redis_url.get_secret_value() not in shown
