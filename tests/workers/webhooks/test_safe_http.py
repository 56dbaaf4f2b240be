"""Requests to URLs that users choose: which targets may be called."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from ipaddress import ip_address

import pytest
import trustme

from cascade.workers.errors import TargetRefused
from cascade.workers.settings import Settings
from cascade.workers.webhooks.addresses import is_public
from cascade.workers.webhooks.safe_http import check_url, post
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
    public_only = settings.model_copy(
        update={"webhook_private_targets": False, "webhook_plain_http": True, "webhook_timeout_s": 0.5}
    )
    with pytest.raises(TargetRefused, match=r"Connect|no whole answer"):
        post(f"http://rebinding.example:{port}/", "{}", {}, public_only)
    assert (len(resolved), target.received) == (1, [])


def test_of_several_addresses_the_first_that_can_be_reached_is_called(
    settings: Settings, start_target: StartTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start_target()
    url = target.url.replace("127.0.0.1", "hooks.example")
    port = int(target.url.split(":")[2].split("/")[0])
    resolve = socket.getaddrinfo

    def two_addresses(host: str, *rest: object, **options: object) -> list[tuple[object, ...]]:
        if host != "hooks.example":
            return list(resolve(host, *rest, **options))  # type: ignore[arg-type]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.9", "127.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    assert post(url, "{}", {}, settings) == 200
    assert len(target.received) == 1


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


# Of each range of IANA's special-purpose registries, and of each way in which an IPv6 address leads to an IPv4 one.
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.127.255.255", "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.170", "192.0.2.1",
        "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "feff::1", "100::1", "100:0:0:1::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:192.0.0.1", "::127.0.0.1", "::8.8.8.8",
        "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1", "2001::1", "2001:2::1",
        "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "3ffe::1", "5f00::1",
        "2620:4f:8000::1", "4000::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "1.1.1.1", "172.32.0.1", "192.0.1.1", "100.128.0.1", "2606:4700:4700::1111",
        "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8", "2a00:1450::1",
    ],
)  # fmt: skip
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "//example.com", "http://", "http://user:pw@example.com/",
        "http://localhost/", "http://localhost./", "http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/",
        "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://example.com:0/", "http://example.com:99999/",
        "http://exa mple.com/", "http://example.com/\n", "http://" + "a" * 2100, "http://example.com/",
        "https://[::ffff:0:7f00:1]/", "https://[64:ff9b:1::1]/", "https://192.0.0.170/", "https://[3fff::1]/",
        "https://127.0.0.1./", "https://0177.1./", "https://hooks.localhost/", "https://a..b/", "https://*.example.com/",
        "https://" + "a" * 64 + ".com/", "https://127%2e0%2e0%2e1/", "https://[2606:4700::1111%25eth0]/", "https://1.1.1.256/",
    ],
)  # fmt: skip
def test_urls_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        check_url(url, private_targets=False)


def test_http_is_called_only_where_that_is_allowed(settings: Settings) -> None:
    check_url("https://example.com/", private_targets=False)
    check_url("http://example.com/", private_targets=False, plain_http=True)
    check_url("http://example.com/", private_targets=True)
    public_only = settings.model_copy(update={"webhook_private_targets": False})
    with pytest.raises(TargetRefused, match="https"):
        post("http://example.com/", "{}", {}, public_only)


@pytest.mark.parametrize("drip", [b"X-Drip: 1\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b""])
def test_a_delivery_has_one_deadline_however_slowly_the_answer_comes(settings: Settings, drip: bytes) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_for_ever() -> None:
            with server.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n" if drip[:1] == b"X" else drip)
                while not stop.wait(0.1):
                    connection.sendall(drip)

        thread = threading.Thread(target=answer_for_ever)
        thread.start()
        started = time.monotonic()
        with pytest.raises(TargetRefused, match="no whole answer within 1 s"):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", "{}", {}, settings)
        assert time.monotonic() - started < 3
        stop.set()
        thread.join(5)
