"""HTTP requests to URLs that users choose: only to public addresses, unless the operator allows others.

The host is resolved once, every address is checked, and the connection goes to a checked address, so that a name
that resolves differently a moment later changes nothing. Redirects are answers like any other, never followed.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

from cascade.workers.errors import TargetRefused
from cascade.workers.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
MAX_URL_CHARS = 2048


def check_url(url: str, *, private_targets: bool) -> None:
    """Refuse what can never be called, without resolving anything.

    Raises:
        ValueError: says what is wrong with the URL.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or any(char <= " " for char in url):
        raise ValueError(f"must be a URL of at most {MAX_URL_CHARS} ASCII characters without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.port == 0:
        raise ValueError("must not name port 0")
    if private_targets:
        return
    address = _literal(parts.hostname)
    if parts.hostname.rstrip(".") == "localhost" or (address is not None and not is_public(address)):
        raise ValueError("must lead to a public address")


def post(url: str, body: str, headers: dict[str, str], settings: Settings) -> int:
    """POST `body` and return the status code of the answer, whose body is not read.

    Raises:
        TargetRefused: the target may not be called, cannot be reached, or does not answer in time.
    """
    try:
        check_url(url, private_targets=settings.webhook_private_targets)
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = _checked_address(host, private_targets=settings.webhook_private_targets)
        target = httpx.URL(url).copy_with(host=str(address))
        with (
            httpx.Client(
                timeout=settings.webhook_timeout_s, follow_redirects=False, trust_env=False
            ) as client,
            client.stream(
                "POST",
                target,
                content=body,
                headers=headers | {"host": parts.netloc},
                extensions={"sni_hostname": host},
            ) as answer,
        ):
            return answer.status_code
    except ValueError as error:
        raise TargetRefused(f"the URL {error}") from error
    except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
        raise TargetRefused(f"{type(error).__name__}: {error}") from error


def is_public(address: Address) -> bool:
    """Return whether an address is a public one; an IPv4 address inside an IPv6 address counts."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _checked_address(host: str, *, private_targets: bool) -> Address:
    """Resolve a host to its first address; all of them must be allowed."""
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
    if not private_targets and not all(is_public(address) for address in addresses):
        raise TargetRefused(f"{host} leads to an address that is not public")
    return addresses[0]


def _literal(host: str) -> Address | None:
    """Parse a host that is an address, in any notation that a resolver takes; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
