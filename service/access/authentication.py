"""Authentication: the project and scopes of the bearer's API key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.api.dependencies import Connected
from cascade.service.problems import ApiError

DEFAULT_PROJECT = "default"
bearer = HTTPBearer(auto_error=False, description="An API key from `cascade keys create`.")


@dataclass(frozen=True)
class Caller:
    """The key that a request came with; without authentication, `EVERYONE`."""

    key_id: str
    project: str
    scopes: frozenset[Scope]


EVERYONE = Caller("anonymous", DEFAULT_PROJECT, frozenset(Scope))


def require(scope: Scope) -> Callable[..., Caller]:
    """Make a dependency that finds the caller, or refuses: 401 without a valid key, 403 without the scope."""

    def authenticate(
        request: Request, servers: Connected, _: Annotated[object, Depends(bearer)] = None
    ) -> Caller:
        if not servers.settings.authenticates:
            return EVERYONE
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        keys = ApiKeys(servers.redis)
        key = keys.authenticate(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise ApiError(
                401,
                "an API key is needed, as Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if scope not in key.scopes:
            raise ApiError(403, f'this API key lacks the scope "{scope}"', code="insufficient_scope")
        return Caller(key.id, key.project, frozenset(key.scopes))

    return authenticate


Generator = Annotated[Caller, Depends(require(Scope.GENERATE))]
Reader = Annotated[Caller, Depends(require(Scope.READ))]
Admin = Annotated[Caller, Depends(require(Scope.ADMIN))]
