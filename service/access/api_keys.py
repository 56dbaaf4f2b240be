"""API keys, which an operator creates, lists and revokes; only hashes of their secrets are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from cascade.workers.keys import API_KEYS
from cascade.workers.redis_client import RedisClient

PREFIX = "csk"


class Scope(StrEnum):
    """A permission of a key: to make and delete videos, to look at them, or to operate the service."""

    GENERATE = "generate"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """A key's record. Jobs belong to its project; of its secret only the hash is stored."""

    id: str
    name: str
    project: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    created_at: float


CODEC = TypeAdapter(ApiKey)


class ApiKeys:
    """The keys of a deployment."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis

    def create(self, name: str, project: str, scopes: tuple[Scope, ...]) -> tuple[ApiKey, str]:
        """Create a key; returns it with the token for its owner, which cannot be shown again."""
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        key = ApiKey(key_id, name, project, scopes, _sha256(secret), time.time())
        self.redis.hset(API_KEYS, key.id, CODEC.dump_json(key))
        return key, f"{PREFIX}_{key_id}_{secret}"

    def list(self) -> list[ApiKey]:
        """List all keys, oldest first."""
        keys = [CODEC.validate_json(value) for value in self.redis.hvals(API_KEYS)]
        return sorted(keys, key=lambda key: key.created_at)

    def revoke(self, key_id: str) -> bool:
        """End a key at once; returns whether there was such a key."""
        return bool(self.redis.hdel(API_KEYS, key_id))

    def authenticate(self, token: str) -> ApiKey | None:
        """Find the key of a token; None if the token is not valid."""
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret:
            return None
        stored = self.redis.hget(API_KEYS, key_id)
        key = None if stored is None else CODEC.validate_json(stored)
        # In constant time, and also where there is no such key: the time taken must not tell.
        expected = key.secret_sha256 if key is not None else _sha256("")
        return key if hmac.compare_digest(_sha256(secret), expected) else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
