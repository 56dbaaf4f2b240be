"""A network of two layers whose checkpoints the tests write, damage and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from cascade.models.checkpoints.files import Requirement, write_checksums
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError


class SmallNetwork(CheckpointNetwork):
    """Two linear layers; an older name of the first was `entrance`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Linear(width, 8)
        self.last = nn.Linear(8, 1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        if "width" not in config:
            raise CheckpointError("the width is missing")
        return cls(config["width"])

    def config_json(self) -> dict[str, Any]:
        return {"width": self.width}

    @staticmethod
    def weight_name(name: str) -> str:
        return name.replace("entrance.", "first.")


REQUIREMENT = Requirement("some/network", ("unet",), {"unet": SmallNetwork})


def write_small_network(folder: Path) -> Path:
    """Write `folder/some/network` with checksums, and return it."""
    torch.manual_seed(0)
    path = folder / "some" / "network"
    write_network(path, SmallNetwork(4))
    write_checksums(path)
    return path
