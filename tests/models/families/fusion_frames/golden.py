"""The golden cases, and how far an output is from what the published code made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file
from torch import Tensor

from cascade.models.checkpoints.network import CheckpointNetwork

NetworkT = TypeVar("NetworkT", bound=CheckpointNetwork)
GOLDEN = Path(__file__).parents[2] / "golden" / "fusion_frames"


def manifest(name: str) -> dict[str, Any]:
    """Read configuration, tensors and number of parameters of a published file."""
    content: dict[str, Any] = json.loads((GOLDEN / f"manifest_{name}.json").read_text())
    return content


def about(case: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / case / "about.json").read_text())
    return content


def tensors(case: str, kind: str) -> dict[str, Tensor]:
    return load_file(GOLDEN / case / f"{kind}.safetensors")


def network(case: str, kind: type[NetworkT]) -> NetworkT:
    """Make the network of a case with its weights."""
    loaded = kind.from_config(json.loads((GOLDEN / case / "config.json").read_text())).eval()
    loaded.load_state_dict(tensors(case, "weights"))
    return loaded


def error(output: Tensor, expected: Tensor) -> float:
    """Return the largest difference relative to the largest value, of tensors of any one shape such as (frames, channels)."""
    return ((output - expected).abs().max() / expected.abs().max()).item()
