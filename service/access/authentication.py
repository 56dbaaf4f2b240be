"""Authentication: the project and scopes of the bearer's API key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers

from cascade.service.access.api_keys import ApiKeys, Scope
from cascade.service.problems import ApiError
from cascade.workers.settings import Settings

DEFAULT_PROJECT = "default"
PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "x-remote-ip", "cf-ray", "cdn-loop")
PROXY_PREFIXES = ("x-forwarded", "x-original-", "x-envoy-")
PROXY_ENDINGS = ("forwarded-for", "client-ip", "clientip", "connecting-ip", "user-ip")
bearer = HTTPBearer(auto_error=False, description="An API key from `cascade keys create`.")


@dataclass(frozen=True)
class Caller:
    """The key that a request came with; without authentication, `EVERYONE`."""

    key_id: str
    project: str
    scopes: frozenset[Scope]

    @property
    def may_read(self) -> bool:
        """Return whether prompts and clips may be shown to the caller."""
        return Scope.READ in self.scopes


EVERYONE = Caller("anonymous", DEFAULT_PROJECT, frozenset(Scope))


def needs_key(headers: Headers, settings: Settings) -> bool:
    """Return whether a request with these headers needs a key; unless keys are off, what a proxy brings always does."""
    return settings.authenticates or (settings.auth == "auto" and came_through_a_proxy(headers))


def find_caller(headers: Headers, keys: ApiKeys) -> Caller:
    """Find the caller by the key in the headers of a request.

    Raises:
        ApiError: 401, there is no valid key.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = keys.authenticate(token.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise ApiError(
            401,
            "an API key is needed, as Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Caller(key.id, key.project, frozenset(key.scopes))


def came_through_a_proxy(headers: Headers) -> bool:
    """Return whether a proxy has left its mark, so that the client may be anybody."""
    return any(
        name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES) or name.endswith(PROXY_ENDINGS)
        for name in headers
    )


def caller_of(request: Request) -> Caller:
    """Return the caller that the gate found before the body was read."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def require(*scopes: Scope) -> Callable[..., Awaitable[Caller]]:
    """Make a dependency that returns the caller, or refuses: 403 without all of the scopes."""

    async def check(request: Request, _: Annotated[object, Depends(bearer)] = None) -> Caller:
        caller = caller_of(request)
        for scope in scopes:
            if scope not in caller.scopes:
                raise ApiError(403, f'this API key lacks the scope "{scope}"', code="insufficient_scope")
        return caller

    return check


AnyCaller = Annotated[Caller, Depends(require())]
Generator = Annotated[Caller, Depends(require(Scope.GENERATE))]
Reader = Annotated[Caller, Depends(require(Scope.READ))]
ReadingGenerator = Annotated[Caller, Depends(require(Scope.GENERATE, Scope.READ))]
"""Who makes a video from another one sees that one."""
Admin = Annotated[Caller, Depends(require(Scope.ADMIN))]
