"""`/docs`: the API's documentation by Swagger UI, which comes with the gateway; nothing is loaded from elsewhere."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from cascade.service.api.routes.pages import HEADERS, WEB

router = APIRouter(include_in_schema=False)


@router.get("/docs")
@router.get("/redoc")  # where FastAPI offers its other documentation
def documentation() -> FileResponse:
    return FileResponse(WEB / "docs.html", headers=HEADERS)


def install_docs(app: FastAPI) -> None:
    app.include_router(router)
    app.mount("/docs-assets", StaticFiles(directory=_assets()), name="docs-assets")


def _assets() -> Path:
    """Find Swagger UI's files, in a package that holds them."""
    package = find_spec("fastapi_offline")
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "static"
