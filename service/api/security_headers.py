"""Headers of every answer, errors included, that tell browsers what not to do with it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOSNIFF = ("X-Content-Type-Options", "nosniff")
HSTS = ("Strict-Transport-Security", "max-age=31536000")


class SecurityHeaders:
    """ASGI middleware: no guesses at media types; with `tls_in_front`, HTTPS only."""

    def __init__(self, app: ASGIApp, *, tls_in_front: bool) -> None:
        self.app = app
        self.headers = (NOSNIFF, HSTS) if tls_in_front else (NOSNIFF,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers:
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
