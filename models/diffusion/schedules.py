"""Noise schedules: the five members of diffusers' schedulers that sampling and training use."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor


class Scheduler(Protocol):
    """A diffusers scheduler.

    Attributes:
        timesteps: those that sampling visits, noisiest first, once they are set.
        config: the parameters, such as `prediction_type` and `num_train_timesteps`.
    """

    timesteps: Tensor

    @property
    def config(self) -> Any: ...

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None: ...

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **options: Any) -> Any:
        """Remove the noise of one timestep from a sample (frames, channels, height, width)."""
        ...

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noise samples (batch, ...) to timesteps (batch,)."""
        ...


@cache
def takes_generator(scheduler: type[Scheduler]) -> bool:
    """Return whether a kind of scheduler draws noise in its steps, from a generator that it is given."""
    return "generator" in inspect.signature(scheduler.step).parameters
