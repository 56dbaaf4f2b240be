"""The gateway: HTTP in front of the queues. This process never imports torch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from cascade import __version__
from cascade.models.presets.table import get_preset
from cascade.service.access.api_keys import ApiKeys
from cascade.service.access.gate import Gate
from cascade.service.access.keyless import KeylessGuard
from cascade.service.access.rate_limit import RateLimit
from cascade.service.access.streams import EventStreams
from cascade.service.api.body_limit import RequestLimits
from cascade.service.api.cors import allow_origins
from cascade.service.api.dependencies import check_query
from cascade.service.api.download_urls import check_downloads
from cascade.service.api.event_hub import EventHub
from cascade.service.api.head_requests import HeadRequests
from cascade.service.api.openapi import complete_document, problems
from cascade.service.api.proxies import ForwardedHeaders
from cascade.service.api.readiness import ReadinessProbe
from cascade.service.api.routes import (
    content,
    events,
    files,
    health,
    ops,
    presets,
    prompts,
    remixes,
    videos,
    webhooks,
)
from cascade.service.api.routes.docs import install_docs
from cascade.service.api.routes.pages import install_pages
from cascade.service.api.security_headers import SecurityHeaders
from cascade.service.http_server import serve
from cascade.service.problems import install_problems
from cascade.workers.logs import configure_logging
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, get_settings

logger = logging.getLogger(__name__)

SERVER_TIMEOUT_S = 3.0
"""How long a request waits for an answer of Redis or the object store before it is refused with 503."""

DESCRIPTION = """Text-to-video generation by a cascade of diffusion stages.

POST a prompt to `/v1/videos`, poll `/v1/videos/{id}`, and download the MP4 from its `url`. The resource has the
shape of the OpenAI Videos API; what a cascade offers beyond it is in extra fields.
"""


class Gateway(FastAPI):
    """An application all of whose answers, also to its own faults, have the headers of `SecurityHeaders`."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.servers.settings
        return SecurityHeaders(super().build_middleware_stack(), tls_in_front=settings.tls_in_front)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the ASGI application; `uvicorn --factory cascade.service.gateway:create_app` calls it too."""
    settings = settings or get_settings()
    check_downloads(settings, settings.s3_endpoint_url)
    servers = Servers.connect_briefly(settings, SERVER_TIMEOUT_S)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            servers.objects.ensure_bucket()
        except (BotoCoreError, ClientError) as error:
            logger.warning("the object store cannot be reached yet: %s", error)
        tasks = [
            asyncio.create_task(app.state.events.run()),
            asyncio.create_task(app.state.streams.end_with_keys()),
        ]
        yield
        for task in tasks:
            task.cancel()

    app = Gateway(
        title="Cascade",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(check_query)],
        responses=problems(400, 413, 422),
        docs_url=None,
        redoc_url=None,
    )
    app.state.servers = servers
    app.state.events = EventHub(settings)
    app.state.readiness = ReadinessProbe(settings)
    app.state.rate_limit = RateLimit(settings)
    keys = ApiKeys(servers.redis)
    app.state.streams = EventStreams(keys, settings.max_event_streams_per_key)
    # The last one comes first.
    app.add_middleware(RequestLimits, max_bytes=settings.max_body_bytes)
    app.add_middleware(Gate, settings=settings, keys=keys, rate_limit=app.state.rate_limit)
    if not settings.authenticates:
        app.add_middleware(KeylessGuard, settings=settings, origins=settings.cors_origins)
    allow_origins(app, settings.cors_origins)
    app.add_middleware(HeadRequests)
    app.add_middleware(ForwardedHeaders, settings=settings)
    install_problems(app)
    for module in (videos, remixes, content, files, events, presets, prompts, webhooks, ops, health):
        app.include_router(module.router)
    install_pages(app)
    install_docs(app)
    complete_document(app, get_preset(settings.presets[0]))
    return app


def run_gateway(settings: Settings) -> None:
    """Serve until a signal stops it."""
    configure_logging(settings.log_level)
    serve(create_app(settings), settings)
