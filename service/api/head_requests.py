"""HEAD like GET: the same status and headers, and no body."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware: sends a HEAD request on as a GET, and ends it as soon as its headers are there.

    Ranges are left out: they are defined for GET alone (RFC 9110, section 14.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        started = asyncio.Event()

        async def receive_until_started() -> Message:
            if started.is_set():
                return {"type": "http.disconnect"}  # so that a stream of events ends, too
            reading, waiting = asyncio.ensure_future(receive()), asyncio.ensure_future(started.wait())
            try:
                await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
                return await reading if reading.done() else {"type": "http.disconnect"}
            finally:
                reading.cancel()
                waiting.cancel()

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                started.set()

        headers = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        await self.app({**scope, "method": "GET", "headers": headers}, receive_until_started, send_headers)
