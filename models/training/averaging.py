"""Exponential moving average (EMA) of the weights that learn: what a run results in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn


class WeightAverage:
    """The average of parameters over the steps of a run, with a decay that rises from 0 (diffusers' `EMAModel`)."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._ema = EMAModel(self._parameters, decay=decay, use_ema_warmup=True, foreach=True)

    def update(self) -> None:
        """Take the parameters of one more step into the average."""
        self._ema.step(self._parameters)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the parameters their average, without gradients; afterwards, also after a fault, what they were."""
        self._ema.store(self._parameters)
        try:
            self._ema.copy_to(self._parameters)
            with torch.no_grad():
                yield
        finally:
            self._ema.restore(self._parameters)

    def to(self, device: torch.device) -> None:
        """Move the average to where the parameters are."""
        self._ema.to(device)

    def state(self) -> dict[str, Any]:
        """Return what `load` takes up again."""
        state: dict[str, Any] = self._ema.state_dict()
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Take up a saved average. Raises ValueError where it is that of other parameters."""
        shapes = [average.shape for average in saved_average(state)]
        if shapes != [parameter.shape for parameter in self._parameters]:
            raise ValueError("it is the average of other parameters")
        self._ema.load_state_dict(state)


def saved_average(state: dict[str, Any]) -> list[Tensor]:
    """Return the averages in the `state` of a `WeightAverage`: each of the same shape as its parameter."""
    averages: list[Tensor] = state["shadow_params"]
    return averages
