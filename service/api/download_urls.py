"""URLs of files that hold for a while and need no API key, as a `<video>` element cannot send one.

They lead to the gateway, which signs them by HMAC-SHA256 with a secret that all gateways share. Where CASCADE_CONTENT is
`redirect` it answers them with a presigned URL of the S3 server: that costs ten times as much as one of these, and a list has
a thousand of them, of which few are followed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlsplit

from cascade.workers.addresses import is_loopback
from cascade.workers.jobs.record import Artifact
from cascade.workers.keys import DOWNLOAD_SECRET
from cascade.workers.redis_client import RedisClient
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, WrongSettings

FILES = "/files"
"""Outside of `/v1`, where a key is needed."""


@dataclass(frozen=True)
class SignedFile:
    """A stored file that a URL leads to.

    Attributes:
        key: of the object.
        filename: what it is saved as.
        expires: Unix seconds.
    """

    key: str
    filename: str
    expires: int

    def signature(self, secret: bytes) -> str:
        """Sign all of it, in hex digits."""
        words = f"{self.key}\n{self.filename}\n{self.expires}"
        return hmac.digest(secret, words.encode(), hashlib.sha256).hex()


class DownloadUrls:
    """Makes the URLs in the answer to one request; `base_url` is that of the gateway, as its client reaches it."""

    def __init__(self, servers: Servers, base_url: str) -> None:
        self._servers, self._base_url = servers, base_url.rstrip("/")

    def __call__(self, artifact: Artifact, filename: str) -> str:
        """Return the URL of a stored file, for `presign_expiry_s` from now."""
        now, secret = self._time_and_secret
        file = SignedFile(artifact.key, filename, int(now) + self._servers.settings.presign_expiry_s)
        return (
            f"{self._base_url}{FILES}/{quote(artifact.key)}?filename={quote(filename)}"
            f"&expires={file.expires}&signature={file.signature(secret)}"
        )

    @cached_property
    def _time_and_secret(self) -> tuple[float, bytes]:
        """Redis's time, and the secret, from one round trip."""
        with self._servers.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.get(DOWNLOAD_SECRET)
            (seconds, microseconds), secret = pipe.execute()
        return seconds + microseconds / 1e6, secret or download_secret(self._servers.redis)


def check_downloads(settings: Settings, endpoint_url: str | None) -> None:
    """Refuse URLs of files that nobody could fetch: presigned ones that name loopback, for clients on other machines.

    Args:
        endpoint_url: of the S3 server as the workers reach it; None is AWS.
    Raises:
        WrongSettings: naming the setting that is missing.
    """
    address = settings.s3_public_endpoint_url or endpoint_url
    host = None if address is None else urlsplit(address).hostname
    if settings.content == "redirect" and not settings.on_loopback and host is not None and is_loopback(host):
        raise WrongSettings(
            f"CASCADE_CONTENT=redirect sends clients to {address}, which other machines cannot reach, while the gateway "
            f"listens on {settings.host}; set CASCADE_S3_PUBLIC_ENDPOINT_URL, or CASCADE_CONTENT=gateway"
        )


def download_secret(redis: RedisClient) -> bytes:
    """Read the secret that signs URLs; the first call creates it."""
    secret: bytes | None = redis.get(DOWNLOAD_SECRET)
    if secret is None:
        redis.set(DOWNLOAD_SECRET, secrets.token_bytes(32), nx=True)
        secret = redis.get(DOWNLOAD_SECRET)
        assert secret is not None
    return secret
