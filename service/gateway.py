"""The gateway: HTTP in front of the queues. This process never imports torch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI

from cascade import __version__
from cascade.models.presets.table import get_preset
from cascade.service.access.rate_limit import RateLimit
from cascade.service.api.body_limit import BodyLimit
from cascade.service.api.dependencies import check_query
from cascade.service.api.event_hub import EventHub
from cascade.service.api.openapi import complete_document, problems
from cascade.service.api.routes import content, events, health, ops, presets, remixes, videos, webhooks
from cascade.service.api.routes.pages import install_pages
from cascade.service.problems import install_problems
from cascade.workers.logs import configure_logging
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, get_settings

logger = logging.getLogger(__name__)

DESCRIPTION = """Text-to-video generation by a cascade of diffusion stages.

POST a prompt to `/v1/videos`, poll `/v1/videos/{id}`, and download the MP4 from its `url`. The resource has the
shape of the OpenAI Videos API; what a cascade offers beyond it is in extra fields.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the ASGI application; `uvicorn --factory cascade.service.gateway:create_app` calls it too."""
    settings = settings or get_settings()
    servers = Servers.connect(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            servers.objects.ensure_bucket()
        except (BotoCoreError, ClientError) as error:
            logger.warning("the object store cannot be reached yet: %s", error)
        reader = asyncio.create_task(app.state.events.run())
        yield
        reader.cancel()

    app = FastAPI(
        title="Cascade",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(check_query)],
        responses=problems(400, 413, 422),
    )
    app.state.servers = servers
    app.state.events = EventHub(settings)
    app.state.rate_limit = RateLimit(settings)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    install_problems(app)
    for module in (videos, remixes, content, events, presets, webhooks, ops, health):
        app.include_router(module.router)
    install_pages(app)
    complete_document(app, get_preset(settings.presets[0]))
    return app


def run_gateway(settings: Settings) -> None:
    """Serve until a signal stops it."""
    configure_logging(settings.log_level)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="warning")
