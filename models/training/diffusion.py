"""The diffusion loss (Ho et al., 2020, "Denoising Diffusion Probabilistic Models", equation 14)."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import TrainingError
from cascade.models.training.recipe import Recipe

HIGH_NOISE = 0.75


@runtime_checkable
class VelocityScheduler(Protocol):
    """A scheduler for networks that predict v = alpha·noise - sigma·clean (Salimans and Ho, 2022, appendix D)."""

    def get_velocity(self, sample: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Compute v of clean samples (batch, ...), their noise (batch, ...) and timesteps (batch,): the same shape."""
        ...


def draw_timesteps(batch: int, recipe: Recipe, generator: Generator) -> Tensor:
    """Draw one timestep per clip.

    Returns:
        (batch,), uniform from 0 to the recipe's last, but for its high-noise share, which is from the top quarter.
    """
    count = recipe.max_timestep + 1
    uniform = torch.randint(count, (batch,), generator=generator)
    high = torch.randint(int(HIGH_NOISE * count), count, (batch,), generator=generator)
    return torch.where(torch.rand(batch, generator=generator) < recipe.high_noise_share, high, uniform)


def noised(
    clean: Tensor, recipe: Recipe, scheduler: Scheduler, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Noise clips at random timesteps.

    Args:
        clean: (batch, channels, frames, height, width), pixels in [-1, 1] or latents of about unit variance.
    Returns:
        The noised sample, shaped as `clean`; its timesteps (batch,); and the target by the scheduler's prediction type,
        shaped as `clean`: the noise, v (Salimans and Ho, 2022), or the clean sample itself.
    Raises:
        TrainingError: v is to be predicted, and the scheduler cannot compute it.
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    timesteps = draw_timesteps(clean.shape[0], recipe, generator).to(clean.device)
    sample = scheduler.add_noise(clean, noise, timesteps)
    match scheduler.config.prediction_type:
        case "v_prediction":
            if not isinstance(scheduler, VelocityScheduler):
                raise TrainingError(
                    f"{type(scheduler).__name__} has no get_velocity, which v-prediction needs; name DDPMScheduler or "
                    "DDIMScheduler in scheduler_config.json"
                )
            return sample, timesteps, scheduler.get_velocity(clean, noise, timesteps)
        case "sample":
            return sample, timesteps, clean
    return sample, timesteps, noise


def prediction_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Compute the mean squared error.

    The channels of a learned variance are left out: this is the simple objective of Nichol and Dhariwal (2021) alone.

    Args:
        prediction: (batch, channels or 2·channels, frames, height, width).
        target: (batch, channels, frames, height, width), float32.
    Returns:
        A scalar.
    """
    return functional.mse_loss(prediction[:, : target.shape[1]].float(), target)
