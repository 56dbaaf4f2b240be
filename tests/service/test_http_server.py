"""One client does not stall the gateway: what it may hold open, and for how long."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /v1/videos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

Connect = Callable[[bytes], socket.socket]


@pytest.fixture(scope="module")
def small_url(start_gateway: Callable[..., str]) -> str:
    """A gateway with room for few connections, that waits a second for requests."""
    return start_gateway(MAX_CONNECTIONS="40", MAX_CONNECTIONS_PER_CLIENT="20", REQUEST_TIMEOUT_S="1")


@pytest.fixture
def connect(small_url: str) -> Iterator[Connect]:
    """Opens a connection and sends the beginning of a request."""
    port = int(small_url.rsplit(":", 1)[1])
    with ExitStack() as connections:

        def open_one(content: bytes) -> socket.socket:
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            connection.sendall(content)
            return connection

        yield open_one


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    content = b""
    try:
        while part := connection.recv(1 << 16):
            content += part
    except ConnectionResetError:
        pass
    return content


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1]) if answer else 0


def test_half_open_requests_do_not_keep_others_out(connect: Connect, small_url: str) -> None:
    for content in (b"", HEAD, POST + b"Content-Length: 100\r\n\r\n{"):
        for _ in range(60):
            connect(content)
        assert httpx.get(f"{small_url}/healthz", timeout=5).status_code == 200
        assert httpx.get(f"{small_url}/v1/models", timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"G", 408),
        (HEAD + b"X: 1\r\n", 408),
        (POST + b"Content-Length: 100\r\n\r\n{", 408),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", 408),
    ],
)
def test_a_request_that_is_not_complete_in_time_is_ended(
    connect: Connect, content: bytes, expected: int
) -> None:
    started = time.monotonic()
    assert status(read_all(connect(content))) == expected
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("drip", [b"X: 1\r\n", b"{"])
def test_bytes_that_drip_in_do_not_extend_the_time(connect: Connect, drip: bytes) -> None:
    connection = connect(HEAD if drip[:1] == b"X" else POST + b"Content-Length: 60000\r\n\r\n")
    started = time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() - started < 10:
            connection.sendall(drip)
            time.sleep(0.05)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "content",
    [HEAD + b"X: " + b"a" * (1 << 20), b"GET /" + b"a" * (1 << 20), HEAD + b"X: 1\r\n" * 200_000],
    ids=["one long header", "a long path", "many headers"],
)
def test_a_long_head_is_refused_at_once(connect: Connect, small_url: str, content: bytes) -> None:
    started = time.monotonic()
    try:
        connection = connect(content)
    except ConnectionError:
        pass  # refused while it was being sent
    else:
        assert status(read_all(connection)) in (0, 431)
    assert time.monotonic() - started < 5
    assert httpx.get(f"{small_url}/healthz", timeout=2).status_code == 200


def test_a_head_just_over_the_limit_is_answered(connect: Connect) -> None:
    answer = read_all(connect(HEAD + b"X: " + b"a" * 20_000))
    assert status(answer) == 431
    assert b"x-content-type-options: nosniff" in answer.lower()
    assert b'"status":431' in answer


def test_a_request_has_at_most_a_hundred_headers(small_url: str) -> None:
    answer = httpx.get(f"{small_url}/healthz", headers=[(f"x-{index}", "1") for index in range(120)])
    assert answer.status_code == 431


def test_what_is_no_http_is_refused(connect: Connect) -> None:
    assert status(read_all(connect(b"\x16\x03\x01\x02\x00\r\n\r\n"))) == 400


def test_requests_on_one_connection_are_answered_one_after_another(connect: Connect) -> None:
    connection = connect((HEAD + b"\r\n") * 3 + HEAD + b"Connection: close\r\n\r\n")
    assert read_all(connection).count(b"200 OK") == 4
