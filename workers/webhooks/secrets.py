"""The secrets that sign a project's webhooks: one, and for a day the one that it replaces."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass

from cascade.workers.keys import previous_webhook_secret_key, webhook_secret_key
from cascade.workers.redis_client import RedisClient

OVERLAP_S = 86_400
"""How long messages are signed with both secrets after one was replaced."""


@dataclass(frozen=True)
class Secrets:
    """Secrets as their owner gets them, `whsec_...`.

    Attributes:
        previous: the one that `current` replaced, while it still signs.
        previous_for_s: how much longer it does.
    """

    current: str
    previous: str | None = None
    previous_for_s: int = 0

    @property
    def valid(self) -> tuple[str, ...]:
        """The secrets that sign messages now."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


class WebhookSecrets:
    """The secrets of all projects."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    def of(self, project: str) -> Secrets:
        """Return a project's secrets; the first call creates one."""
        key, previous_key = webhook_secret_key(project), previous_webhook_secret_key(project)
        self.redis.set(key, _new_secret(), nx=True)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.get(key)
            pipe.get(previous_key)
            pipe.ttl(previous_key)
            current, previous, ttl_s = pipe.execute()
        if previous is None:
            return Secrets(_text(current))
        return Secrets(_text(current), _text(previous), max(ttl_s, 0))

    def replace(self, project: str) -> Secrets:
        """Make a new secret; the one before it goes on signing beside it for `OVERLAP_S`."""
        key = webhook_secret_key(project)

        def exchange(pipe: RedisClient) -> None:
            current = pipe.get(key)
            pipe.multi()
            if current is not None:
                pipe.set(previous_webhook_secret_key(project), current, ex=OVERLAP_S)
            pipe.set(key, _new_secret())

        self.redis.transaction(exchange, key)
        return self.of(project)


def _new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _text(stored: bytes) -> str:
    return f"whsec_{stored.decode()}"
