"""What a gateway without keys refuses: requests that web pages and names of others bring to it.

Whoever reaches such a gateway may do everything, so it must be the user's own programs and this gateway's own page. A web
page elsewhere can make a browser send requests to loopback, and a name that resolves to loopback (DNS rebinding) lets a page
read the answers.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cascade.service.problems import ApiError, error_response
from cascade.workers.settings import Settings

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>\d{1,5}))?", re.IGNORECASE)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITES = ("same-origin", "none")
DEFAULT_PORTS = {"http": 80, "https": 443}


class KeylessGuard:
    """ASGI middleware of a gateway without keys: 403 for unknown hosts, and for writes from other sites.

    Args:
        origins: of other sites whose pages may write, such as `https://studio.example`.
    """

    def __init__(self, app: ASGIApp, settings: Settings, origins: tuple[str, ...] = ()) -> None:
        self.app, self.origins = app, origins
        self.names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self.on_loopback = settings.on_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(scope["method"], Headers(scope=scope))
            except ApiError as refusal:
                await error_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, method: str, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            raise ApiError(
                403,
                f"this gateway asks for no keys, so it answers to its own names only, not to "
                f'"{", ".join(hosts)}"; set CASCADE_ALLOWED_HOSTS, or CASCADE_AUTH=on',
                code="unknown_host",
            )
        if method not in SAFE_METHODS and not self._is_same_site(headers, hosts[0]):
            raise ApiError(
                403,
                "this gateway asks for no keys, so it takes no writes from other sites",
                code="cross_site",
            )

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this gateway. An address cannot be rebound, unlike a name."""
        match = HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].strip("[]").rstrip(".").lower()
        if name in self.names or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.on_loopback

    def _is_same_site(self, headers: Headers, host: str) -> bool:
        origins = headers.getlist("origin")
        if any(origin in self.origins for origin in origins):
            return len(origins) == 1
        from_own_pages = all(_is_origin_of(origin, host) for origin in origins)
        return from_own_pages and all(site in OWN_SITES for site in headers.getlist("sec-fetch-site"))


def _is_origin_of(origin: str, host: str) -> bool:
    """Return whether a page of `origin` was served under `host`, whichever scheme a proxy adds."""
    try:
        parts = urlsplit(origin)
    except ValueError:  # such as "http://["
        return False
    if parts.scheme not in DEFAULT_PORTS:
        return False
    match = HOST.fullmatch(host)
    own = HOST.fullmatch(parts.netloc)
    if match is None or own is None:
        return False
    default = DEFAULT_PORTS[parts.scheme]
    return match["name"].lower() == own["name"].lower() and int(match["port"] or default) == int(
        own["port"] or default
    )
