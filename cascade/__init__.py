"""Self-hosted text-to-video generation by cascades of diffusion stages.

    import cascade
    clip = cascade.load("shapes").generate("a red circle moving right on a gray background", seed=1)
    clip.save("circle.mp4")

Importing this package is quick: torch is imported with the first name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascade.models.clip import Clip as Clip
    from cascade.models.clip import Latents as Latents
    from cascade.models.errors import CheckpointError as CheckpointError
    from cascade.models.errors import InvalidParameter as InvalidParameter
    from cascade.models.errors import ModelError as ModelError
    from cascade.models.generate import Cascade as Cascade
    from cascade.models.generate import generate as generate
    from cascade.models.generate import load as load
    from cascade.models.runtime.execution import Execution as Execution
    from cascade.service.client import Client as Client
    from cascade.service.client import ClientError as ClientError

__version__ = version("cascade")

_HOMES = {
    "Cascade": "cascade.models.generate",
    "CheckpointError": "cascade.models.errors",
    "Client": "cascade.service.client",
    "ClientError": "cascade.service.client",
    "Clip": "cascade.models.clip",
    "Execution": "cascade.models.runtime.execution",
    "InvalidParameter": "cascade.models.errors",
    "Latents": "cascade.models.clip",
    "ModelError": "cascade.models.errors",
    "generate": "cascade.models.generate",
    "load": "cascade.models.generate",
}

__all__ = [
    "Cascade",
    "CheckpointError",
    "Client",
    "ClientError",
    "Clip",
    "Execution",
    "InvalidParameter",
    "Latents",
    "ModelError",
    "__version__",
    "generate",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
