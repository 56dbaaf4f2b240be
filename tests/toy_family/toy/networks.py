"""One convolution, as a network with a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.writing import write_network

LATENT_CHANNELS = 4


class Convolution(CheckpointNetwork):
    """(batch, frames, inputs, height, width) to (batch, frames, outputs, height, width)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["inputs"], config["outputs"])

    def config_json(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "outputs": self.outputs}

    def forward(self, frames: Tensor) -> Tensor:
        folded: Tensor = self.convolution(frames.flatten(0, 1))
        return folded.view(*frames.shape[:2], *folded.shape[1:])


def create_checkpoints(folder: Path) -> None:
    """Create both untrained checkpoints, unless they are there."""
    if (folder / "toy").is_dir():
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for stage, channels in (("sketch", LATENT_CHANNELS), ("paint", 3)):
            write_network(folder / "toy" / stage, Convolution(LATENT_CHANNELS, channels), part="network")
            write_checksums(folder / "toy" / stage)
