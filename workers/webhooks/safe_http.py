"""HTTP requests to URLs that users choose: only to public addresses, unless the operator allows others.

The host is resolved once, every address is checked, and the connection goes to a checked address, so that a name
that resolves differently a moment later changes nothing. Redirects are answers like any other, never followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

import httpx

from cascade.workers.addresses import NAME
from cascade.workers.errors import TargetRefused
from cascade.workers.settings import Settings
from cascade.workers.webhooks.addresses import Address, is_public

MAX_URL_CHARS = 2048
RESOLVER_THREADS = 16
_resolvers = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolver")
"""Looking a name up cannot be interrupted: whoever gives up waiting leaves a thread to the resolver's own time limit."""


def check_url(url: str, *, private_targets: bool, plain_http: bool = False) -> None:
    """Refuse what can never be called, without resolving anything. Private targets may be called by http in any case.

    Raises:
        ValueError: says what is wrong with the URL.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise ValueError(f"must be a URL of at most {MAX_URL_CHARS} ASCII characters without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.port == 0:
        raise ValueError("must not name port 0")
    host = parts.hostname.rstrip(".")
    address = _literal(host)
    if address is None and NAME.fullmatch(host) is None:
        raise ValueError("must name a host, or an address without a zone")
    if private_targets:
        return
    if f".{host}".endswith(".localhost") or (address is not None and not is_public(address)):
        raise ValueError("must lead to a public address")
    if parts.scheme == "http" and not plain_http:
        raise ValueError("must be an https URL (CASCADE_WEBHOOK_PLAIN_HTTP allows http)")


def post(url: str, body: str, headers: dict[str, str], settings: Settings) -> int:
    """POST `body` and return the status code of the answer, whose body is not read.

    All of it, from the look-up of the name to the last header of the answer, takes `webhook_timeout_s` at most.

    Raises:
        TargetRefused: the target may not be called, cannot be reached, or does not answer in time.
    """
    try:
        check_url(
            url,
            private_targets=settings.webhook_private_targets,
            plain_http=settings.webhook_plain_http,
        )
        return asyncio.run(_post(url, body, headers, settings))
    except ValueError as error:
        raise TargetRefused(f"the URL {error}") from error
    except TimeoutError as error:
        raise TargetRefused(f"no whole answer within {settings.webhook_timeout_s:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise TargetRefused(f"{type(error).__name__}: {error}") from error


async def _post(url: str, body: str, headers: dict[str, str], settings: Settings) -> int:
    parts = urlsplit(url)
    host = parts.hostname or ""
    async with asyncio.timeout(settings.webhook_timeout_s):
        addresses = await _checked_addresses(host, private_targets=settings.webhook_private_targets)
        async with httpx.AsyncClient(
            timeout=settings.webhook_timeout_s, follow_redirects=False, trust_env=False, verify=_tls()
        ) as client:

            async def post_to(address: Address) -> int:
                async with client.stream(
                    "POST",
                    httpx.URL(url).copy_with(host=str(address)),
                    content=body,
                    headers=headers | {"host": parts.netloc},
                    extensions={"sni_hostname": host},
                ) as answer:
                    return answer.status_code

            for address in addresses[:-1]:
                with suppress(httpx.ConnectError):
                    return await post_to(address)
            return await post_to(addresses[-1])


async def _checked_addresses(host: str, *, private_targets: bool) -> list[Address]:
    """Resolve a host to its addresses; all of them must be allowed."""
    loop = asyncio.get_running_loop()
    entries = await loop.run_in_executor(_resolvers, _resolve, host)
    addresses = [ipaddress.ip_address(entry.partition("%")[0]) for entry in entries]
    if not private_targets and not all(is_public(address) for address in addresses):
        raise TargetRefused(f"{host} leads to an address that is not public")
    return addresses


def _resolve(host: str) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _literal(host: str) -> Address | None:
    """Parse a host that is an address, in any notation that a resolver takes; None for a name, or with a zone."""
    if "%" in host:
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
