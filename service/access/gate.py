"""The gate in front of the API: finds the caller of a request, and counts it, before anything of its body is read."""

from __future__ import annotations

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cascade.service.access.api_keys import ApiKeys
from cascade.service.access.authentication import EVERYONE, Caller, find_caller, needs_key
from cascade.service.access.rate_limit import RateLimit
from cascade.service.problems import ApiError, error_response
from cascade.workers.settings import Settings

API = "/v1"
READS = ("GET", "HEAD", "OPTIONS")


class Gate:
    """ASGI middleware: 401 without a valid key where one is needed, 429 above the rate limit."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: ApiKeys, rate_limit: RateLimit) -> None:
        self.app, self.settings, self.keys, self.rate_limit = app, settings, keys, rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_api(scope):
            try:
                caller = await self._admit(scope)
            except (ApiError, RedisError) as error:
                await error_response(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        if not needs_key(headers, self.settings):
            return EVERYONE
        return await run_in_threadpool(self._find_and_count, headers, scope["method"])

    def _find_and_count(self, headers: Headers, method: str) -> Caller:
        caller = find_caller(headers, self.keys)
        self.rate_limit.count_request(caller, "read" if method in READS else "change")
        return caller


def is_api(scope: Scope) -> bool:
    """Return whether a request is for the API, rather than for a page or a probe."""
    path = f"{scope['path'].removeprefix(scope.get('root_path', ''))}/"
    return path.startswith(f"{API}/")
