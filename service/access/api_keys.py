"""API keys, which an operator creates, lists and revokes; only hashes of their secrets are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from cascade.workers.keys import API_KEY_USES, API_KEYS
from cascade.workers.redis_client import RedisClient

PREFIX = "csk"
USE_INTERVAL_S = 60.0
"""How exactly the last use of a key is recorded."""


class Scope(StrEnum):
    """A permission of a key: to make and delete videos, to look at them, or to operate the service."""

    GENERATE = "generate"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """A key's record. Jobs belong to its project; of its secret only the hash is stored. Times are Unix seconds."""

    id: str
    name: str
    project: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    created_at: float
    expires_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Return whether the key has not expired."""
        return self.expires_at is None or now < self.expires_at


CODEC = TypeAdapter(ApiKey)


class ApiKeys:
    """The keys of a deployment. The clock is that of Redis."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        self._recorded_uses: dict[str, float] = {}

    def create(
        self, name: str, project: str, scopes: tuple[Scope, ...], valid_for_s: float | None = None
    ) -> tuple[ApiKey, str]:
        """Create a key; returns it with the token for its owner, which cannot be shown again.

        Args:
            valid_for_s: when it expires, from now; None is never.
        """
        key_id, secret, now = secrets.token_hex(8), secrets.token_urlsafe(32), self.now()
        expires_at = None if valid_for_s is None else now + valid_for_s
        key = ApiKey(key_id, name, project, scopes, _sha256(secret), now, expires_at)
        self.redis.hset(API_KEYS, key.id, CODEC.dump_json(key))
        return key, f"{PREFIX}_{key_id}_{secret}"

    def list(self) -> list[ApiKey]:
        """List all keys, oldest first."""
        keys = [CODEC.validate_json(value) for value in self.redis.hvals(API_KEYS)]
        return sorted(keys, key=lambda key: key.created_at)

    def last_uses(self) -> dict[str, float]:
        """Return when each key was last used (Unix seconds, to the minute), by its id."""
        return {key_id.decode(): float(at) for key_id, at in self.redis.hgetall(API_KEY_USES).items()}

    def revoke(self, key_id: str) -> bool:
        """End a key at once; returns whether there was such a key."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(API_KEYS, key_id)
            pipe.hdel(API_KEY_USES, key_id)
            return bool(pipe.execute()[0])

    def authenticate(self, token: str) -> ApiKey | None:
        """Find the key of a token, and record its use; None if the token is not valid, or no longer."""
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret:
            return None
        ((stored,), now) = self._stored([key_id])
        key = None if stored is None else CODEC.validate_json(stored)
        # In constant time, and also where there is no such key: the time taken must not tell.
        expected = key.secret_sha256 if key is not None else _sha256("")
        if not hmac.compare_digest(_sha256(secret), expected) or key is None or not key.is_valid(now):
            return None
        self._record_use(key.id, now)
        return key

    def valid_ids(self, key_ids: Iterable[str]) -> set[str]:
        """Return those of the keys that are there and have not expired."""
        stored, now = self._stored(tuple(key_ids))
        keys = [CODEC.validate_json(value) for value in stored if value is not None]
        return {key.id for key in keys if key.is_valid(now)}

    def now(self) -> float:
        """Return the time of Redis in Unix seconds."""
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1e6)

    def _stored(self, key_ids: Sequence[str]) -> tuple[Sequence[bytes | None], float]:
        """Read records, and the time."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hmget(API_KEYS, list(key_ids))
            pipe.time()
            stored, (seconds, microseconds) = pipe.execute()
        return stored, seconds + microseconds / 1e6

    def _record_use(self, key_id: str, now: float) -> None:
        if now - self._recorded_uses.get(key_id, 0) >= USE_INTERVAL_S:
            self._recorded_uses[key_id] = now
            self.redis.hset(API_KEY_USES, key_id, int(now))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
