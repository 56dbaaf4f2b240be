"""The diffusion loss: timesteps, targets, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler

from cascade.models.errors import TrainingError
from cascade.models.training.diffusion import draw_timesteps, noised, prediction_loss
from cascade.models.training.recipe import Recipe

RECIPE = Recipe(phases=())


def test_timesteps_go_as_far_as_the_recipe_says() -> None:
    drawn = draw_timesteps(20_000, replace(RECIPE, max_timestep=900), torch.Generator().manual_seed(0))
    assert (int(drawn.min()), int(drawn.max())) == (0, 900)


def test_timesteps_are_uniform_but_for_the_share_of_high_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = draw_timesteps(50_000, RECIPE, generator)
    assert abs(float((uniform >= 600).float().mean()) - 0.4) < 0.01
    # Half uniform, half from the noisiest quarter: 0.5 * 0.4 + 0.5.
    often = draw_timesteps(50_000, replace(RECIPE, high_noise_share=0.5), generator)
    assert abs(float((often >= 600).float().mean()) - 0.7) < 0.01
    assert int(draw_timesteps(1000, replace(RECIPE, high_noise_share=1.0), generator).min()) >= 750


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_targets_are_the_papers(prediction_type: str) -> None:
    scheduler = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction_type)
    clean = torch.randn(3, 2, 4, 5, 6)
    sample, timesteps, target = noised(clean, RECIPE, scheduler, torch.Generator().manual_seed(0))
    alpha = scheduler.alphas_cumprod[timesteps].sqrt()[:, None, None, None, None]
    sigma = (1 - scheduler.alphas_cumprod[timesteps]).sqrt()[:, None, None, None, None]
    noise = (sample - alpha * clean) / sigma
    expected = {"epsilon": noise, "v_prediction": alpha * noise - sigma * clean, "sample": clean}[
        prediction_type
    ]
    torch.testing.assert_close(target, expected, atol=2e-3, rtol=1e-3)


def test_v_needs_a_scheduler_that_computes_it() -> None:
    scheduler = PNDMScheduler(prediction_type="v_prediction")
    with pytest.raises(TrainingError, match="PNDMScheduler has no get_velocity"):
        noised(torch.zeros(1, 3, 2, 4, 4), RECIPE, scheduler, torch.Generator())


def test_channels_of_a_learned_variance_are_left_out_of_the_loss() -> None:
    target = torch.zeros(1, 3, 2, 2, 2)
    prediction = torch.cat([target + 2, target + 100], dim=1)
    assert prediction_loss(prediction, target) == 4
