"""The gateway's HTTP server: uvicorn, with limits on what clients may hold open.

A request that is not complete in time ends its connection. Where connections run out, the one that has waited longest for
a request makes room, so that whoever opens many and sends nothing stands in nobody's way but their own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from contextlib import suppress
from typing import cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from cascade.service.problems import problem_response
from cascade.workers.settings import Settings

MAX_HEAD_BYTES = 16 * 1024
"""Request line and headers; what arrives in one piece may be twice as long."""
KEEP_ALIVE_S = 5
STALLED_S = 60.0
"""How long a client may leave unread what it asked for."""
SHUTDOWN_S = 5
BACKLOG = 128
START_FAILED = 3  # uvicorn's own exit code
SPARE_FILES = 128
"""Files that the process needs beside its connections."""


class GatewayConfig(uvicorn.Config):
    """How the gateway serves; `LimitedProtocol` finds its limits here."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            app,
            host=settings.host,
            port=settings.port,
            http=LimitedProtocol,
            ws="none",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            backlog=BACKLOG,
            proxy_headers=False,  # the app reads them: CASCADE_TRUSTED_PROXIES
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="warning",
        )
        self.request_timeout_s = settings.request_timeout_s
        self.max_connections = min(settings.max_connections, _raise_file_limit() - SPARE_FILES)
        self.max_connections_per_client = settings.max_connections_per_client


class LimitedProtocol(H11Protocol):
    """One connection of a client.

    Attributes:
        waiting_since: when it began to wait for the rest of a request (time of the loop); None while one is answered.
    """

    waiting_since: float | None = None
    _request_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    @property
    def limits(self) -> GatewayConfig:
        return cast(GatewayConfig, self.config)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()
        if not self._make_room():
            self._refuse(503, "the gateway has as many connections as it takes; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In pieces, because h11 checks the size of a head only when it lacks its end.
        for start in range(0, len(data), MAX_HEAD_BYTES):
            if self.transport.is_closing():
                return
            had_head = self.conn.their_state is h11.SEND_BODY
            super().data_received(data[start : start + MAX_HEAD_BYTES])
            self._follow_request(had_head)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._follow_request(had_head=False)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is no HTTP request; called by the base class."""
        if len(self.conn.trailing_data[0]) > MAX_HEAD_BYTES:
            self._refuse(431, f"the head of a request may have at most {MAX_HEAD_BYTES} bytes")
        else:
            self._refuse(400, "this is no HTTP/1.1 request")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def drop(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self._stop_waiting()
        self.transport.abort()

    def _follow_request(self, had_head: bool) -> None:
        """Start the time limits of a head and of a body, and end them when the request is complete."""
        state = self.conn.their_state
        if state is h11.SEND_BODY and not had_head:
            self._stop_waiting()
        if state in (h11.IDLE, h11.SEND_BODY):
            if self._request_timer is None:
                self._wait_for_request()
        else:
            self._stop_waiting()

    def _wait_for_request(self) -> None:
        self.waiting_since = self.loop.time()
        self._request_timer = self.loop.call_later(self.limits.request_timeout_s, self._on_timeout)

    def _stop_waiting(self) -> None:
        self.waiting_since = None
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _on_timeout(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.drop()  # nothing was asked, so nothing is answered
        else:
            self._refuse(408, f"a request must be complete within {self.limits.request_timeout_s:g} s")

    def _make_room(self) -> bool:
        """Drop waiting connections until both limits hold; return whether they do."""
        others = [cast(LimitedProtocol, other) for other in self.connections if other is not self]
        client = _network(self)
        same = [other for other in others if _network(other) == client]
        over = (
            len(same) >= self.limits.max_connections_per_client,
            len(others) >= self.limits.max_connections,
        )
        for is_over, candidates in zip(over, (same, others), strict=True):
            waiting = [other for other in candidates if other.waiting_since is not None]
            if is_over and not waiting:
                return False
            if is_over:
                min(waiting, key=lambda other: other.waiting_since or 0).drop()
        return True

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless an answer has begun, and close the connection."""
        self._stop_waiting()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            answer = problem_response(status, detail, headers={"connection": "close"})
            parts = (
                h11.Response(status_code=status, headers=answer.raw_headers),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            )
            with suppress(h11.LocalProtocolError):  # a HEAD request has no body in its answer
                for part in parts:
                    self.transport.write(self.conn.send(part) or b"")
        self.connections.discard(self)
        self.transport.close()
        self.loop.call_later(1, self.transport.abort)


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal stops it."""
    server = uvicorn.Server(GatewayConfig(app, settings))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(START_FAILED)


def _network(connection: LimitedProtocol) -> str:
    """Return the address of a client; of IPv6 the network that one client has."""
    host = connection.client[0] if connection.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address), 64), strict=False))
    return host


def _raise_file_limit() -> int:
    """Let this process open as many files as it may; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
