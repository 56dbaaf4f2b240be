"""What a proxy in front of the gateway says of the client's request: its address, its scheme and the path prefix."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from cascade.workers.settings import PATH_PREFIX, Settings


class ForwardedHeaders:
    """ASGI middleware: X-Forwarded-For, -Proto and -Prefix of proxies that are trusted.

    `root_path` becomes the prefix, and `path` begins with it, whether or not the proxy strips it; what the application
    redirects to, and URLs in its answers, have it too.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        proxies: Any = app
        self._app: Any = ProxyHeadersMiddleware(proxies, list(settings.trusted_proxies))
        self._trusted = self._app.trusted_hosts
        self._prefix = settings.root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            prefix = self._prefix
            if client is not None and client[0] in self._trusted:
                prefix = _forwarded_prefix(Headers(scope=scope)) or prefix
            path = scope["path"]
            if path != prefix and not path.startswith(f"{prefix}/"):
                path = prefix + path
            scope = {**scope, "root_path": prefix, "path": path}
        await self._app(scope, receive, send)


def _forwarded_prefix(headers: Headers) -> str:
    """Join the prefixes of several proxies, the outermost first; empty unless all of them are paths."""
    parts = [part.strip().rstrip("/") for part in ",".join(headers.getlist("x-forwarded-prefix")).split(",")]
    prefix = "".join(parts)
    return prefix if PATH_PREFIX.fullmatch(prefix) else ""
