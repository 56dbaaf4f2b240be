"""Reads request bodies up to a limit, before the app does."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cascade.service.api.request_text import check_body, check_head
from cascade.service.problems import ApiError, error_response


class RequestLimits:
    """ASGI middleware: refuses long bodies by their announced length or as they come, and text that is none.

    The app gets a body that is complete and valid; what it may answer to a request is then independent of how its bytes came.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            check_head(scope)
            messages = await self._read(scope, receive)
        except ApiError as refusal:
            await error_response(refusal)(scope, receive, send)
            return

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, receive_again, send)

    async def _read(self, scope: Scope, receive: Receive) -> list[Message]:
        """Read the body of a request that has one; returns what the app then receives."""
        headers = Headers(scope=scope)  # of several of one name the first, as the app reads them
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()) or int(declared) > self.max_bytes:
            raise self._too_large()
        if declared == "0" and "transfer-encoding" not in headers:
            return []
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return [message]
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.max_bytes:
                raise self._too_large()
        check_body(headers.get("content-type", ""), bytes(body))
        return [{"type": "http.request", "body": bytes(body), "more_body": False}]

    def _too_large(self) -> ApiError:
        return ApiError(413, f"a request body may have at most {self.max_bytes} bytes")
