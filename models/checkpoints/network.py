"""The base of networks that are read from a checkpoint and written as one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn


class CheckpointNetwork(nn.Module):
    """A network with a `config.json` and weights beside it; tensor names are those of the published checkpoints."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the network of a `config.json`.

        Raises:
            CheckpointError: a key would change the arithmetic and is not supported.
        """

    @abstractmethod
    def config_json(self) -> dict[str, Any]:
        """Return the configuration, as `from_config` reads it."""

    @classmethod
    def published_config(cls, file: str) -> Mapping[str, Any] | None:  # noqa: ARG003
        """Return the configuration of a single file that is published without one, by its name; None if it is not known."""
        return None

    @staticmethod
    def weight_name(name: str) -> str:
        """Return the network's own name for a tensor of a checkpoint; the same unless a network has changed its names."""
        return name

    @property
    def takes_noise_level(self) -> bool:
        """Return whether `class_labels` are needed: the noise level of a low-resolution condition."""
        return False


def own_names(
    network: type[CheckpointNetwork] | CheckpointNetwork, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Rename the tensors of a checkpoint to the network's own names."""
    return {network.weight_name(name): tensor for name, tensor in weights.items()}
