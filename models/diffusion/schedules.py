"""Noise schedules: the members of diffusers' schedulers that sampling and training use."""

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
        init_noise_sigma: standard deviation of the noise that sampling begins with, once the timesteps are set.
        config: the parameters, such as `prediction_type` and `num_train_timesteps`.
    """

    timesteps: Tensor

    @property
    def init_noise_sigma(self) -> Any: ...

    @property
    def config(self) -> Any: ...

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None: ...

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:
        """Scale a sample (channels, frames, ...) to what the network was trained to see; most return it as it is."""
        ...

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **options: Any) -> Any:
        """Remove the noise of one timestep from a sample (frames, channels, height, width)."""
        ...

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noise samples (batch, ...) to timesteps (batch,)."""
        ...


def inference_timesteps(scheduler: Scheduler, steps: int) -> Tensor:
    """Set a scheduler to `steps` steps and return the timesteps to run, noisiest first.

    Rounding makes diffusers' "trailing" spacing end one below zero for some numbers of steps (61 and 103, of 1000
    timesteps); a timestep that is none is left out.

    Returns:
        (count,), for most schedulers as many as `steps`.
    """
    scheduler.set_timesteps(steps)
    return scheduler.timesteps[scheduler.timesteps >= 0]


@cache
def takes_generator(scheduler: type[Scheduler]) -> bool:
    """Return whether a kind of scheduler draws noise in its steps, from a generator that it is given."""
    return "generator" in inspect.signature(scheduler.step).parameters
