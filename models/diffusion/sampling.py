"""The denoising loop that all stages share, and the noise that a seed fixes.

Noise is drawn on the CPU in float32 whatever the device, one generator per video: a video's frames depend on
its own seed alone, not on its neighbours in the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from torch import Generator, Tensor

from cascade.models.diffusion.schedules import Scheduler, inference_timesteps, takes_generator

OnStep = Callable[[int, int], None]
"""Called after denoising step k of n; raising inside it stops the stage between two steps."""


@runtime_checkable
class WatchesEstimates(Protocol):
    """An `OnStep` that may also look at what the sampler takes the clean sample to be, which costs nothing unless it does."""

    def __call__(self, step: int, steps: int) -> None: ...

    def look(self, step: int, steps: int, estimate: Callable[[], Tensor]) -> None:
        """Be offered the estimate of step k of n, before the step is reported.

        Args:
            estimate: returns it (batch, channels, frames, height, width), not clamped; to be called before this returns. Of a
                scheduler that makes none, the sample itself, still noisy. It is not to be changed.
        """
        ...


def ignore_step(_step: int, _steps: int) -> None:
    """Progress that nobody watches."""


Predict = Callable[[Tensor, Tensor], Tensor]
"""Predicts noise (or v) of `sample` (batch, channels, frames, height, width) at a timestep."""


def seeded_generators(seeds: Sequence[int]) -> list[Generator]:
    """Make one CPU generator per video."""
    return [Generator().manual_seed(seed) for seed in seeds]


def draw_noise(shape: tuple[int, ...], generators: Sequence[Generator], device: torch.device) -> Tensor:
    """Draw standard normal noise (len(generators), *shape), each video's from its own generator."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)


def sample_from_noise(
    predict: Predict,
    noise: Tensor,
    scheduler: Scheduler,
    steps: int,
    generators: Sequence[Generator],
    on_step: OnStep,
) -> Tensor:
    """Run the whole reverse diffusion in `steps` steps; the other arguments are as `denoise` has them.

    Args:
        noise: standard normal, (batch, channels, frames, height, width), float32.
    Returns:
        The denoised sample, not clamped.
    """
    timesteps = inference_timesteps(scheduler, steps)
    return denoise(predict, noise * scheduler.init_noise_sigma, scheduler, timesteps, generators, on_step)


def denoise(
    predict: Predict,
    sample: Tensor,
    scheduler: Scheduler,
    timesteps: Tensor,
    generators: Sequence[Generator],
    on_step: OnStep,
) -> Tensor:
    """Run the reverse diffusion over `timesteps` (Ho et al., 2020, algorithm 2; Show-1, section 3.1).

    The network sees the whole batch at once; the scheduler steps each video by itself, with the video's own
    generator and with frames as its batch, so that dynamic thresholds (Saharia et al., 2022, section 2.3) are per frame.
    The network sees the sample as the scheduler scales it: for most as it is, for Euler's (Karras et al., 2022) divided by
    the standard deviation of clean sample and noise.

    Args:
        predict: returns (batch, channels or 2·channels, frames, height, width); the second half is the
            learned variance (Nichol and Dhariwal, 2021, equation 15).
        sample: to start from, (batch, channels, frames, height, width), float32; noise or a noised clean sample, as the
            scheduler has it at the first of the timesteps.
        scheduler: a diffusers scheduler whose timesteps are set.
        timesteps: of the scheduler, the ones to run.
        generators: one per video.
        on_step: called with (k, n) after step k of n; one that watches is offered the estimate of the clean sample before.
    Returns:
        The denoised sample, not clamped.
    """
    watcher = on_step if isinstance(on_step, WatchesEstimates) else None
    schedulers = [copy.deepcopy(scheduler) for _ in generators]
    for index, timestep in enumerate(timesteps):
        scaled = torch.stack(
            [own.scale_model_input(video, timestep) for own, video in zip(schedulers, sample, strict=True)]
        )
        prediction = _without_unused_variance(predict(scaled, timestep), sample, scheduler)
        stepped = [
            _step(own_scheduler, prediction[i], timestep, sample[i], generators[i])
            for i, own_scheduler in enumerate(schedulers)
        ]
        sample = torch.stack([video for video, _ in stepped])
        if watcher is not None:
            watcher.look(index + 1, len(timesteps), partial(_estimates, stepped))
        on_step(index + 1, len(timesteps))
    return sample


def _step(
    scheduler: Scheduler, prediction: Tensor, timestep: Tensor, video: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """One step of one video (channels, frames, height, width), its frames as the scheduler's batch.

    Returns:
        The video after the step, and the scheduler's estimate of the clean one (frames, channels, height, width), where it makes
        one, else the first again in this order of axes.
    """
    stepped: tuple[Tensor, ...] = scheduler.step(
        rearrange(prediction, "c f h w -> f c h w"),
        timestep,
        rearrange(video, "c f h w -> f c h w"),
        return_dict=False,
        **({"generator": generator} if takes_generator(type(scheduler)) else {}),
    )
    return rearrange(stepped[0], "f c h w -> c f h w"), stepped[-1]


def _estimates(stepped: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Stack what `_step` returned of each video: (batch, channels, frames, height, width)."""
    return rearrange(torch.stack([estimate for _, estimate in stepped]), "b f c h w -> b c f h w")


def _without_unused_variance(prediction: Tensor, sample: Tensor, scheduler: Scheduler) -> Tensor:
    """Cut a learned variance, the second half of the channels, off (batch, channels, ...) if the scheduler ignores it."""
    learned = scheduler.config.get("variance_type") in ("learned", "learned_range")
    return prediction if learned else prediction[:, : sample.shape[1]]
