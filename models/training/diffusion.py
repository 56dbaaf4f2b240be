"""The diffusion loss that all stages share (Show-1, section 3.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.training.recipe import Recipe

HIGH_NOISE = 0.75


def draw_timesteps(batch: int, recipe: Recipe, generator: Generator) -> Tensor:
    """One timestep per clip, (batch,): uniform from 0 to the recipe's last, the high-noise share from the top quarter."""
    count = recipe.max_timestep + 1
    uniform = torch.randint(count, (batch,), generator=generator)
    high = torch.randint(int(HIGH_NOISE * count), count, (batch,), generator=generator)
    return torch.where(torch.rand(batch, generator=generator) < recipe.high_noise_share, high, uniform)


def noised(
    clean: Tensor, recipe: Recipe, scheduler: Any, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Noise `clean` (batch, channels, frames, height, width).

    Returns:
        The noised sample, its timesteps (batch,), and the target by the scheduler's prediction type: the noise,
        v = alpha·noise - sigma·clean, or the clean sample itself.
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    timesteps = draw_timesteps(clean.shape[0], recipe, generator).to(clean.device)
    sample = scheduler.add_noise(clean, noise, timesteps)
    if scheduler.config.prediction_type == "v_prediction":
        return sample, timesteps, scheduler.get_velocity(clean, noise, timesteps)
    if scheduler.config.prediction_type == "sample":
        return sample, timesteps, clean
    return sample, timesteps, noise


def prediction_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error; channels of a learned variance are left out, as DeepFloyd IF's simple objective does."""
    return functional.mse_loss(prediction[:, : target.shape[1]].float(), target)
