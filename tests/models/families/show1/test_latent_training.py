"""Trainings of the latent stage and of its autoencoder, with a small one that is not trained."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler

from cascade.models.checkpoints.files import read_json
from cascade.models.families.show1.latent_training import AutoencoderTraining, ExpertTranslationTraining
from cascade.models.presets.show1 import ExpertTranslationOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.training.recipe import Phase, Recipe
from tests.models.families.show1.recorder import Recorder, small_spec
from tests.models.families.show1.small_trainings import RECIPE, SilentCaptions, random_batch

CHANNELS = 4
PHASE = Phase(1, 1)
SPEC = cast("StageSpec[ExpertTranslationOptions]", small_spec("expert-translation", height=16, width=32))


@pytest.fixture
def vae() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        latent_channels=CHANNELS,
        norm_num_groups=4,
        scaling_factor=0.25,
    )


def test_the_expert_learns_scaled_latents_of_the_clips(vae: AutoencoderKL) -> None:
    """At timestep 0 the sample is nearly clean: sampled latents times the scaling factor."""
    vae.quant_conv.bias.data[CHANNELS:] = -30  # no noise beside the mean
    unet = Recorder(channels=CHANNELS)
    recipe = Recipe(phases=(), max_timestep=0)
    scheduler = DDIMScheduler(prediction_type="sample")
    training = ExpertTranslationTraining(SPEC, recipe, unet, SilentCaptions(), scheduler, vae)  # type: ignore[arg-type]
    batch = random_batch(2, 3)
    training(batch, PHASE, torch.Generator().manual_seed(0))
    means = vae.encode(batch.frames.flatten(0, 1)).latent_dist.mean.unflatten(0, (2, 3))
    expected = 0.25 * means.transpose(1, 2)
    assert unet.inputs[0].shape == (2, CHANNELS, 3, 8, 16)
    noise = unet.inputs[0] - expected * scheduler.alphas_cumprod[0].sqrt()
    assert float(noise.std()) == pytest.approx(float((1 - scheduler.alphas_cumprod[0]).sqrt()), rel=0.1)
    assert not any(parameter.requires_grad for parameter in training.vae.parameters())


def test_the_autoencoder_is_written_with_latents_scaled_to_one(vae: AutoencoderKL, tmp_path: Path) -> None:
    training = AutoencoderTraining(SPEC, RECIPE, vae)
    batch = random_batch(3, 3)
    for seed in range(400):
        with torch.no_grad():
            training(batch, PHASE, torch.Generator().manual_seed(seed))
    std = float(vae.encode(batch.frames.flatten(0, 1)).latent_dist.mean.detach().std())
    assert abs(4 - std) > 1  # so that it has to move from 1 / 0.25
    training.write(tmp_path, torch.float16)
    assert read_json(tmp_path / "vae" / "config.json")["scaling_factor"] == pytest.approx(1 / std, rel=0.2)
    assert (tmp_path / "SHA256SUMS").is_file()


def test_the_autoencoder_learns_to_reconstruct(vae: AutoencoderKL) -> None:
    training = AutoencoderTraining(SPEC, RECIPE, vae)
    batch = random_batch(2, 3)
    loss = training(batch, PHASE, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(parameter.grad is not None for parameter in vae.parameters())
    with torch.no_grad():
        reconstructed = training.sample(batch, 0)
    assert reconstructed.frames.shape == (1, 3, 3, 16, 32)
    # The decoder sees noisy latents while it learns; the loss is about the error of the sample beside that.
    error = float((reconstructed.frames - batch.frames[:1]).abs().mean())
    assert float(loss.detach()) == pytest.approx(error, rel=0.5)
