"""The sampler of version 1.0: ancestral sampling (Ho et al., 2020) with a cosine schedule made anew for the number of steps.

Step k of n is told to the network as k · (1000 // n). The estimate of the clean sample is divided by a quantile of its absolute
values, where that is above 1 (Saharia et al., 2022, section 2.3, over each frame or group).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

TRAIN_TIMESTEPS = 1000
MAX_BETA = 0.999


class RespacedDDPM:
    """A scheduler as `models.diffusion.schedules.Scheduler` has it.

    Args:
        prediction_type: `epsilon`, or `v_prediction` (v = alpha · noise - sigma · x; Salimans and Ho, 2022).
        quantile: of the absolute values of a sample's estimate, by which it is divided.
    """

    init_noise_sigma = 1.0

    def __init__(self, prediction_type: str = "epsilon", quantile: float = 0.98) -> None:
        self.config = {
            "prediction_type": prediction_type,
            "quantile": quantile,
            "num_train_timesteps": TRAIN_TIMESTEPS,
        }
        self.set_timesteps(50)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Make the schedule of so many steps."""
        self.scale = TRAIN_TIMESTEPS // num_inference_steps
        self.timesteps = torch.arange(num_inference_steps - 1, -1, -1, device=device) * self.scale
        self.betas = cosine_betas(num_inference_steps)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:  # noqa: ARG002
        """Return the sample (frames, channels, height, width) as it is."""
        return sample

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noise samples (batch, ...) to timesteps (batch,) of this schedule."""
        share = self.alphas_cumprod.to(original_samples.device)[timesteps.long() // self.scale]
        share = share.view(-1, *[1] * (original_samples.ndim - 1))
        return share.sqrt() * original_samples + (1 - share).sqrt() * noise

    def step(
        self,
        model_output: Tensor,
        timestep: Tensor,
        sample: Tensor,
        generator: Generator | None = None,
        **_options: Any,
    ) -> tuple[Tensor, Tensor]:
        """Draw the sample of the step before, all (frames, channels, height, width), each frame with its own quantile.

        Returns:
            It and the estimate of the clean sample; the last step draws nothing: it returns the mean.
        """
        step = int(timestep) // self.scale
        share, beta = self.alphas_cumprod[step], self.betas[step]
        before = self.alphas_cumprod[step - 1] if step else torch.ones(())
        clean = self.shrink(self.estimate(model_output, sample, share))
        mean = (before.sqrt() * beta * clean + (1 - beta).sqrt() * (1 - before) * sample) / (1 - share)
        noise = torch.randn(sample.shape, generator=generator).to(sample.device)
        if step == 0:
            return mean, clean
        variance = beta * (1 - before) / (1 - share)
        return mean + variance.sqrt() * noise, clean

    def estimate(self, prediction: Tensor, sample: Tensor, share: Tensor) -> Tensor:
        """Estimate the clean sample (frames, channels, height, width) from a prediction at the signal's share () of variance."""
        alpha, sigma = share.sqrt(), (1 - share).sqrt()
        if self.config["prediction_type"] == "v_prediction":
            return alpha * sample - sigma * prediction
        return (sample - sigma * prediction) / alpha

    def shrink(self, clean: Tensor) -> Tensor:
        """Divide each frame of (frames, channels, height, width) by its quantile, where that is above 1; the rest is clamped."""
        quantile: Any = self.config["quantile"]
        limits = torch.quantile(clean.abs().flatten(1), quantile, dim=1).clamp(min=1)[:, None, None, None]
        return clean.clamp(-limits, limits) / limits


def cosine_betas(steps: int) -> Tensor:
    """Make the cosine schedule (Nichol and Dhariwal, 2021, equation 17) of so many steps: (count,)."""

    def share(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [1 - share((step + 1) / steps) / share(step / steps) for step in range(steps)]
    return torch.tensor(betas, dtype=torch.float32).clamp(max=MAX_BETA)
