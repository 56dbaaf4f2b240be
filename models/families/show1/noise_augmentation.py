"""Noise conditioning augmentation: the low-resolution condition is noised at a known level, so that the
super-resolution network forgives its faults (Show-1, section 3.5; Ho et al., 2022, "Cascaded Diffusion Models")."""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from cascade.models.diffusion.schedules import Scheduler


def augmentation_schedule() -> Scheduler:
    """Return the published schedule of the augmentation: 1000 steps, squared cosine."""
    schedule: Scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    return schedule


def augment(condition: Tensor, noise: Tensor, noise_level: int, schedule: Scheduler) -> Tensor:
    """Noise `condition` at `noise_level` 0 (nearly clean) to 999 (noise).

    Args:
        condition, noise: (batch, channels, frames, height, width), the condition's pixels in [-1, 1].
    Raises:
        ValueError: `noise_level` is outside the schedule.
    """
    levels = schedule.config.num_train_timesteps
    if not 0 <= noise_level < levels:
        raise ValueError(f"noise level {noise_level} is outside 0..{levels - 1}")
    return schedule.add_noise(condition, noise, torch.full((condition.shape[0],), noise_level))
