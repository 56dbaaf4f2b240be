"""Hosts, server addresses and names of buckets as people write them in settings."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

NAME = re.compile(
    r"(?=.{1,253}\.?$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\.?$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?",
    re.IGNORECASE,
)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
SHOWN_CHARS = 60


def shown(value: object) -> str:
    """Write a wrong value on one short line."""
    text = ascii(str(value))[1:-1]
    return f'"{text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."}"'


def check_host(text: str) -> str:
    """Return a host without the brackets that an IPv6 address has in a URL.

    Raises:
        ValueError: it is neither an IP address nor a name.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ip_address(bare)
    except ValueError:
        if bare == text and NAME.fullmatch(text):
            return text
    else:
        if bare == text or address.version == 6:
            return bare
    raise ValueError(
        f"{shown(text)} is no host: an address or a name alone, such as 127.0.0.1, ::1 or example.com"
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host that a server listens on."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def host_in_url(host: str) -> str:
    """Write a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


def check_server_url(text: str) -> str:
    """Return the URL of a server, without a slash at its end.

    Raises:
        ValueError: it is none; the message does not repeat it, as it may hold a password.
    """
    allowed = "must be http:// or https://, a host, a port if need be, no password, such as http://127.0.0.1:9000 or http://[::1]:9000"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(allowed) from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or "@" in parts.netloc:
        raise ValueError(allowed)
    if parts.query or parts.fragment or any(char.isspace() for char in text):
        raise ValueError(allowed)
    try:
        check_host(host)
    except ValueError:
        raise ValueError(allowed) from None
    return text.rstrip("/")


def check_bucket(value: str) -> str:
    """Return a bucket's name. Raises ValueError if it is none."""
    if BUCKET.fullmatch(value) is None or ".." in value:
        raise ValueError(
            f"{shown(value)} is no bucket name: 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    return value


def check_region(value: str) -> str:
    """Return a region's name. Raises ValueError if it is none."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,63}", value) is None:
        raise ValueError(f"{shown(value)} is no region, such as eu-west-1: letters, digits and hyphens")
    return value
