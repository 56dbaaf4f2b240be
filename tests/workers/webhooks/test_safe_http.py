"""Requests to URLs that users choose: which targets may be called."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from ipaddress import ip_address

import pytest
import trustme

from cascade.workers.errors import TargetRefused
from cascade.workers.settings import Settings
from cascade.workers.webhooks.safe_http import check_url, is_public, post
from tests.workers.webhooks.target import StartTarget


def test_redirects_are_not_followed(settings: Settings, start_target: StartTarget) -> None:
    inside = start_target()
    outside = start_target(307, location=inside.url)
    assert post(outside.url, "{}", {}, settings) == 307
    assert inside.received == []


def test_a_private_target_is_refused(settings: Settings, start_target: StartTarget) -> None:
    target = start_target()
    public_only = settings.model_copy(update={"webhook_private_targets": False})
    for url in (target.url, target.url.replace("127.0.0.1", "localhost"), f"http://{socket.gethostname()}/"):
        with pytest.raises(TargetRefused):
            post(url, "{}", {}, public_only)
    assert target.received == []


def test_a_name_that_resolves_differently_the_second_time_changes_nothing(
    settings: Settings, start_target: StartTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start_target()
    port = int(target.url.split(":")[2].split("/")[0])
    resolved: list[str] = []

    def rebinding(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        """As a resolver: addresses are themselves; the name is public the first time, loopback later."""
        address = host
        if host == "rebinding.example":
            resolved.append(host)
            address = "8.8.8.8" if len(resolved) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    public_only = settings.model_copy(update={"webhook_private_targets": False, "webhook_timeout_s": 0.5})
    with pytest.raises(TargetRefused, match="Connect"):
        post(f"http://rebinding.example:{port}/", "{}", {}, public_only)
    assert (len(resolved), target.received) == (1, [])


def test_https_is_for_the_host_of_the_url_and_its_certificate_is_checked(settings: Settings) -> None:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("hooks.example").configure_cert(context)  # of an authority that no one trusts
    context.sni_callback = lambda _, name, __: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                context.wrap_socket(server.accept()[0], server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(TargetRefused, match="certificate verify failed"):
            post(f"https://localhost:{server.getsockname()[1]}/", "{}", {}, settings)
        thread.join(5)
    assert names == ["localhost"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "//example.com", "http://", "http://user:pw@example.com/",
        "http://localhost/", "http://localhost./", "http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/",
        "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://example.com:0/", "http://example.com:99999/",
        "http://exa mple.com/", "http://example.com/\n", "http://" + "a" * 2100,
    ],
)  # fmt: skip
def test_urls_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        check_url(url, private_targets=False)
