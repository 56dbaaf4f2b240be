"""API keys: created, listed and revoked by an operator; only hashes of their secrets are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

KEYS = "cascade:api-keys"
PREFIX = "csk"


class Scope(StrEnum):
    """What a key may do: make and delete videos, look at them, operate the service."""

    GENERATE = "generate"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """A key's record. Jobs belong to its project; `secret_sha256` is all that is known of its secret."""

    id: str
    name: str
    project: str
    scopes: tuple[Scope, ...]
    secret_sha256: str
    created_at: float


CODEC = TypeAdapter(ApiKey)


class ApiKeys:
    """The keys of a deployment."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    def create(self, name: str, project: str, scopes: tuple[Scope, ...]) -> tuple[ApiKey, str]:
        """A new key, and the token that its owner must keep: it is not shown again."""
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        key = ApiKey(key_id, name, project, scopes, _sha256(secret), time.time())
        self.redis.hset(KEYS, key.id, CODEC.dump_json(key))
        return key, f"{PREFIX}_{key_id}_{secret}"

    def list(self) -> list[ApiKey]:
        """Oldest first."""
        keys = [CODEC.validate_json(value) for value in self.redis.hvals(KEYS)]
        return sorted(keys, key=lambda key: key.created_at)

    def revoke(self, key_id: str) -> bool:
        """Whether there was such a key."""
        return bool(self.redis.hdel(KEYS, key_id))

    def authenticate(self, token: str) -> ApiKey | None:
        """The key of a token; None for a token that is not one."""
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not secret:
            return None
        stored = self.redis.hget(KEYS, key_id)
        key = None if stored is None else CODEC.validate_json(stored)
        # Compared in constant time, and compared also where there is no such key.
        expected = key.secret_sha256 if key is not None else _sha256("")
        return key if hmac.compare_digest(_sha256(secret), expected) else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
