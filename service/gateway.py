"""The gateway: HTTP in front of the conveyor. This process never imports torch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI

from cascade.service.access.rate_limit import RateLimit
from cascade.service.api.body_limit import BodyLimit
from cascade.service.api.dependencies import known_query
from cascade.service.api.event_hub import EventHub
from cascade.service.api.openapi import install_models, problems
from cascade.service.api.routes import events, health, ops, videos, webhooks
from cascade.service.api.routes import presets as models
from cascade.service.api.routes.pages import install_pages
from cascade.service.api.schemas import CreateVideo
from cascade.service.problems import Problem, install_problems
from cascade.workers.job_queue import Conveyor
from cascade.workers.settings import Settings, get_settings

logger = logging.getLogger(__name__)

DESCRIPTION = """Text-to-video generation by a cascade of diffusion stages.

POST a prompt to `/v1/videos`, poll `/v1/videos/{id}`, and download the MP4 from its `url`. The resource has the
shape of the OpenAI Videos API; what a cascade has more to say is in extra fields.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; also the factory that `uvicorn --factory cascade.service.gateway:create_app` calls."""
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.conveyor.objects.ensure_bucket()
        except (BotoCoreError, ClientError) as error:
            logger.warning("the object store is not there yet: %s", error)
        reader = asyncio.create_task(app.state.events.run())
        yield
        reader.cancel()

    app = FastAPI(
        title="Cascade",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(known_query)],
        responses=problems(400, 413, 422),
    )
    app.state.conveyor = Conveyor.connect(settings)
    app.state.events = EventHub(settings)
    app.state.rate_limit = RateLimit(settings)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    install_problems(app)
    for module in (videos, events, models, webhooks, ops, health):
        app.include_router(module.router)
    install_pages(app)
    install_models(app, CreateVideo, Problem)
    return app


def run_gateway(settings: Settings) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="warning")
