"""Cross-origin requests: pages of the origins that the settings name may call the API."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
READABLE_HEADERS = (
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"),
    *("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "openai-poll-after-ms"),
)


def allow_origins(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Let pages of `origins`, or with `*` of all, send requests with keys and read the answers; cookies are not used."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=READABLE_HEADERS,
        )
