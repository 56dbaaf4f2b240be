"""CASCADE_REDIS_URL, understood once: every client takes its options from the same `RedisAddress`.

redis-py, Celery and others each read a URL in their own way, and differ in what they verify and in what they ignore. No message
here repeats a part of the URL: any part may be a piece of a password that was not encoded.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 6379
PLAIN, TLS = ("redis", "valkey"), ("rediss", "valkeys")
SOCKET = ("unix", "redis+socket", "redis+unix", "valkey+unix")
CERT_REQS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
FALSE, TRUE = ("0", "f", "false", "n", "no"), ("1", "t", "true", "y", "yes")


class WrongRedisUrl(ValueError):
    """A URL that cannot lead to a Redis; the message says what is allowed, and shows nothing of the URL."""


@dataclass(frozen=True)
class RedisAddress:
    """Where Redis is, and how it is spoken to.

    Attributes:
        host, port: of a TCP server; unused where there is a `socket`.
        socket: absolute path of a Unix socket.
        db: number of the database, 0 or more.
        tls: options of TLS by redis-py's names, complete; None is a plain connection.
        extras: further options by redis-py's names, as the URL has them.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    socket: str | None = None
    db: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, Any] | None = field(default=None, repr=False)
    extras: Mapping[str, Any] = field(default_factory=dict)

    def client_options(self, **defaults: Any) -> dict[str, Any]:
        """Return the arguments of `redis.Redis` and `redis.asyncio.Redis`.

        Args:
            defaults: of a client; the URL's go before them, but a timeout never grows: somebody waits.
        """
        where: dict[str, Any] = {"unix_socket_path": self.socket}
        if self.socket is None:
            where = {"host": self.host, "port": self.port}
        tls = {} if self.tls is None else {"ssl": True, **self.tls}
        options = defaults | dict(self.extras)
        for name in ("socket_timeout", "socket_connect_timeout"):
            if name in self.extras and defaults.get(name) is not None:
                options[name] = min(self.extras[name], defaults[name])
        return options | where | tls | {"db": self.db, "username": self.username, "password": self.password}

    @property
    def broker_url(self) -> str:
        """Return the URL by which Celery's transport finds the same server; `tls` and `extras` are given apart."""
        user = quote(self.username or "", safe="")
        login = f"{user}:{quote(self.password or '', safe='')}@" if self.username or self.password else ""
        if self.socket is not None:
            return f"redis+socket://{login}{quote(self.socket)}?virtual_host={self.db}"
        host = f"[{quote(self.host, safe=':')}]" if ":" in self.host else quote(self.host, safe="")
        return f"{'redis' if self.tls is None else 'rediss'}://{login}{host}:{self.port}/{self.db}"


def parse_redis_url(text: str) -> RedisAddress:
    """Read a URL in any spelling of redis-py's, Celery's and Valkey's manuals.

    - `redis://`, `valkey://` (plain), `rediss://`, `valkeys://` (TLS): `[user][:password]@host[:port][/db]`
    - `unix://`, `redis+socket://`, `redis+unix://`, `valkey+unix://`: `[user][:password]@/absolute/path`
    - Options behind a question mark: OPTIONS; those of TLS only where there is TLS.

    Raises:
        WrongRedisUrl: it is none of these, or is ambiguous.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in (*PLAIN, *TLS, *SOCKET):
        known = ", ".join(f"{name}://" for name in (*PLAIN, *TLS, *SOCKET))
        sentinel = (
            "; Sentinel and Cluster are not supported" if "sentinel" in scheme or "cluster" in scheme else ""
        )
        raise WrongRedisUrl(f"must begin with one of {known}{sentinel}")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise WrongRedisUrl("must not hold blanks or control characters; encode them in percent")
    try:
        parts = urlsplit(f"http://{rest}")
        login, at, place = parts.netloc.rpartition("@")
        port = urlsplit(f"http://{place}").port
    except ValueError:
        raise _not_encoded() from None
    if (
        parts.fragment
        or rest.endswith("#")
        or (not at and ("@" in parts.query or "@" in parts.path) and place)
    ):
        raise _not_encoded()
    if port == 0:
        raise WrongRedisUrl("the port must be 1 to 65535")
    if re.search(r"[;,]", place + parts.path * (scheme not in SOCKET)):
        raise WrongRedisUrl("must name one server; lists of servers are not supported")
    options = _options(parts.query)
    username, _, password = login.partition(":")
    common: dict[str, Any] = {
        "username": _decoded(username) or options.get("username"),
        "password": _decoded(password) or options.get("password"),
    }
    options = {name: value for name, value in options.items() if name not in common}
    tls_options = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")}
    if tls_options and scheme not in TLS:
        raise WrongRedisUrl("ssl_ options need rediss:// or valkeys://")
    if scheme in SOCKET:
        if place or not parts.path.strip("/"):
            raise WrongRedisUrl("must name the absolute path of a socket, as in unix:///run/redis.sock?db=0")
        db = _one_db(options.pop("db", None), options.pop("virtual_host", None))
        return RedisAddress(socket=_decoded(parts.path), db=db, **common, extras=options)
    if "virtual_host" in options:
        raise WrongRedisUrl("virtual_host is for sockets; write the database as /0 or ?db=0")
    return RedisAddress(
        host=_decoded(urlsplit(f"http://{place}").hostname or "") or DEFAULT_HOST,
        port=port or DEFAULT_PORT,
        db=_one_db(_path_db(parts.path), options.pop("db", None)),
        **common,
        tls=_tls(tls_options) if scheme in TLS else None,
        extras=options,
    )


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise WrongRedisUrl(f"what follows ? must be name=value; {_ALLOWED}; elsewhere write %3F") from None
    for name, value in pairs:
        if name not in OPTIONS:
            raise WrongRedisUrl(f"has an option that is not known; {_ALLOWED}")
        if name in options:
            raise WrongRedisUrl(f"has the option {name} twice")
        try:
            options[name] = OPTIONS[name](value)
        except ValueError as error:
            raise WrongRedisUrl(f"{name} {error}") from None
    return options


def _tls(given: dict[str, Any]) -> dict[str, Any]:
    """Complete the options: by default the certificate and its name are verified, whichever client connects."""
    verified = given.get("ssl_cert_reqs", ssl.CERT_REQUIRED) != ssl.CERT_NONE
    named = verified and given.get("ssl_check_hostname", True)
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED} | given | {"ssl_check_hostname": named}


def _path_db(path: str) -> int | None:
    number = path.strip("/")
    if not number:
        return None
    try:
        return _whole(number)
    except ValueError:
        raise WrongRedisUrl(
            "what follows the host must be the number of a database, as in redis://host:6379/0; "
            "a / in a password is written %2F"
        ) from None


def _one_db(first: int | None, second: int | None) -> int:
    if first is not None and second is not None and first != second:
        raise WrongRedisUrl("names two databases")
    return first if first is not None else second or 0


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise WrongRedisUrl("what is encoded in percent must be UTF-8") from None
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise WrongRedisUrl(
            "a % must be followed by two hexadecimal digits; a % of a password is written %25"
        )
    return decoded


def _not_encoded() -> WrongRedisUrl:
    return WrongRedisUrl(
        "is no URL: host and port (1 to 65535) must be as in redis://:password@host:6379/0, and / ? # [ ] of a password "
        "are written %2F %3F %23 %5B %5D"
    )


# Values of options; each raises ValueError that says what is allowed.


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def _count(text: str) -> int:
    if _whole(text) == 0:
        raise ValueError("must be 1 or more")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in (*FALSE, *TRUE):
        raise ValueError("must be true or false")
    return text.lower() in TRUE


def _cert_reqs(text: str) -> ssl.VerifyMode:
    try:
        return CERT_REQS[text.lower().removeprefix("ssl.").removeprefix("cert_")]
    except KeyError:
        raise ValueError(
            "must be none, optional or required (or CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED)"
        ) from None


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("must be a file")
    return text


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise ValueError("must be a folder")
    return text


def _tls_version(text: str) -> ssl.TLSVersion:
    versions = {"771": ssl.TLSVersion.TLSv1_2, "772": ssl.TLSVersion.TLSv1_3}
    if text not in versions:
        raise ValueError("must be 771 (TLS 1.2) or 772 (TLS 1.3)")
    return versions[text]


def _text(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


OPTIONS: dict[str, Callable[[str], Any]] = {
    "db": _whole,
    "virtual_host": _whole,
    "username": _text,
    "password": _text,
    "client_name": _text,
    "health_check_interval": _whole,
    "max_connections": _count,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "socket_keepalive": _yes_or_no,
    "ssl_ca_certs": _file,
    "ssl_ca_data": _text,
    "ssl_ca_path": _folder,
    "ssl_cert_reqs": _cert_reqs,
    "ssl_certfile": _file,
    "ssl_check_hostname": _yes_or_no,
    "ssl_ciphers": _text,
    "ssl_keyfile": _file,
    "ssl_min_version": _tls_version,
    "ssl_password": _text,
}
_ALLOWED = f"options are {', '.join(OPTIONS)}"
