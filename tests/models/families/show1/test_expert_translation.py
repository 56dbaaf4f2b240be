"""Expert translation as a whole against arithmetic, and its parts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.clip import Clip
from cascade.models.errors import StageInputError
from cascade.models.families.show1.expert_translation import (
    ExpertTranslation,
    last_timesteps,
    noise_to_timestep,
    resize_8bit,
)
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.presets.show1 import ExpertTranslationOptions
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from tests.models.families.show1.recorder import EMBEDDINGS, HERE, NoText, Recorder, run, small_spec

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ABAR = torch.cumprod(1 - BETAS, 0)
"""Products of 1 - beta, betas being squares of values evenly between the square roots."""
FACTOR, STD, SCALE = 8, 0.25, 0.5


class SquareMeans(nn.Module):
    """An autoencoder without weights to learn: means of 8x8 squares, 0 as a fourth channel, and a known spread."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.config = SimpleNamespace(scaling_factor=SCALE)
        self.encoded: list[int] = []
        self.decoded: list[int] = []
        self.events: list[str] = []

    @property
    def dtype(self) -> torch.dtype:
        return self.weight.dtype

    def to(self, *args: Any, **options: Any) -> SquareMeans:
        self.events.append(str(args[0]))
        return super().to(*args, **options)

    def encode(self, frames: Tensor) -> SimpleNamespace:
        """(frames, 3, height, width) to means and deviations (frames, 4, height/8, width/8)."""
        self.events.append("encode")
        self.encoded.append(len(frames))
        mean = functional.pad(functional.avg_pool2d(frames, FACTOR), (0, 0, 0, 0, 0, 1))
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, std=torch.full_like(mean, STD)))

    def decode(self, latents: Tensor) -> SimpleNamespace:
        """(frames, 4, height, width) to (frames, 3, 8·height, 8·width)."""
        self.events.append("decode")
        self.decoded.append(len(latents))
        return SimpleNamespace(sample=enlarge(latents[:, :3]))


def enlarge(frames: Tensor) -> Tensor:
    """(frames, channels, height, width) to (frames, channels, 8·height, 8·width), nearest neighbours."""
    return frames.repeat_interleave(FACTOR, -1).repeat_interleave(FACTOR, -2)


def schedule() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="sample",
        clip_sample=False,
    )


def translation(unet: Recorder, vae: SquareMeans, execution: Execution = HERE) -> ExpertTranslation:
    return ExpertTranslation(cast("LatentVideoUNet", unet), schedule(), vae, NoText(), execution)


def spec(frames: int = 3) -> AnyStageSpec:
    options = ExpertTranslationOptions(strength=0.5)
    return small_spec("expert-translation", frames=frames, height=16, width=24, steps=4, options=options)


def test_a_clip_is_encoded_noised_denoised_and_decoded() -> None:
    """Every frame has one colour, so that resizing and the autoencoder leave it as it is, but for 8 bits."""
    colours = torch.tensor([[0.1, -0.5, 0.9], [0.0, 0.3, -0.3], [-1.0, 1.0, 0.7]])  # frame by frame
    source = Clip(colours.view(1, 3, 3, 1, 1).expand(1, 3, 3, 4, 6), 8)
    unet, vae = Recorder(channels=4), SquareMeans()
    clip, steps = run(translation(unet, vae), spec(), (7,), source)

    generator = torch.Generator().manual_seed(7)
    eight_bits = ((colours + 1) * 127.5).floor() / 127.5 - 1
    mean = functional.pad(eight_bits, (0, 1)).view(3, 4, 1, 1).expand(3, 4, 2, 3)
    latents = SCALE * (mean + STD * torch.randn(3, 4, 2, 3, generator=generator))
    noise = torch.randn(3, 4, 2, 3, generator=generator)
    # Of 4 steps, at timesteps 750, 500, 250 and 0, strength 0.5 runs the last two.
    sample = ABAR[250].sqrt() * latents + (1 - ABAR[250]).sqrt() * noise
    first, second = unet.inputs
    torch.testing.assert_close(first[0], sample.transpose(0, 1).float())
    for abar, before in ((ABAR[250], ABAR[0]), (ABAR[0], torch.tensor(1.0))):
        clean = 0.5 * sample  # as the network predicts it
        eps = (sample - abar.sqrt() * clean) / (1 - abar).sqrt()  # DDIM (Song et al., 2021), equation 12
        sample = before.sqrt() * clean + (1 - before).sqrt() * eps
    expected = enlarge(sample[:, :3] / SCALE).float()

    assert steps == [(1, 2), (2, 2)]
    assert clip.fps == 8
    torch.testing.assert_close(clip.frames[0], expected, rtol=1e-4, atol=1e-4)
    assert second.shape == (1, 4, 3, 2, 3)


def test_each_video_has_its_own_seeds_noise() -> None:
    source = Clip(torch.rand(2, 3, 3, 4, 6) * 2 - 1, 8)
    both, _ = run(translation(Recorder(4), SquareMeans()), spec(), (3, 7), source)
    alone, _ = run(translation(Recorder(4), SquareMeans()), spec(), (7,), source.split()[1])
    torch.testing.assert_close(both.frames[1:], alone.frames)


@pytest.mark.parametrize(("slicing", "calls"), [(True, [1, 1, 1]), (False, [3])])
def test_the_autoencoder_works_frame_by_frame_or_on_all_at_once(slicing: bool, calls: list[int]) -> None:
    vae = SquareMeans()
    source = Clip(torch.rand(1, 3, 3, 4, 6) * 2 - 1, 8)
    run(translation(Recorder(4), vae, replace(HERE, vae_slicing=slicing)), spec(), (7,), source)
    assert (vae.encoded, vae.decoded) == (calls, calls)


def test_offloaded_networks_are_on_the_device_one_at_a_time() -> None:
    unet, vae = Recorder(4), SquareMeans()
    events = unet.events = vae.events
    source = Clip(torch.rand(1, 1, 3, 4, 6) * 2 - 1, 8)
    run(translation(unet, vae, replace(HERE, offload="model")), spec(frames=1), (7,), source)
    assert events == ["cpu", "encode", "cpu", "cpu", "run", "run", "cpu", "cpu", "decode", "cpu"]


def test_a_cancelled_translation_gives_its_network_back() -> None:
    class Cancelled(Exception):
        pass

    def cancel(_step: int, _steps: int) -> None:
        raise Cancelled

    unet = Recorder(4)
    stage = translation(unet, SquareMeans(), replace(HERE, offload="model"))
    source = Clip(torch.rand(1, 1, 3, 4, 6) * 2 - 1, 8)
    inputs = StageInputs(spec(frames=1), "a prompt", "", EMBEDDINGS, (7,), source)
    with pytest.raises(Cancelled):
        stage(inputs, cancel)  # type: ignore[arg-type]
    assert unet.events == ["cpu", "run", "cpu"]


def test_a_clip_of_another_length_is_refused() -> None:
    with pytest.raises(StageInputError, match="expert-translation needs 1 videos of 3 frames"):
        run(translation(Recorder(4), SquareMeans()), spec(), (7,), Clip(torch.zeros(1, 5, 3, 4, 6), 8))


def test_translation_starts_at_the_intermediate_timestep() -> None:
    # 50 steps at strength 0.8 run the last 40, and noise to the first of these.
    scheduler = schedule()
    scheduler.set_timesteps(50)
    timesteps = last_timesteps(scheduler.timesteps, 0.8)
    assert len(timesteps) == 40
    assert timesteps[0] == scheduler.timesteps[10]
    latents, noise = torch.full((1, 2, 4, 1, 1), 0.5), torch.full((1, 2, 4, 1, 1), -1.0)
    abar = ABAR[int(timesteps[0])]
    expected = abar.sqrt() * 0.5 - (1 - abar).sqrt()
    noised = noise_to_timestep(latents, noise, timesteps[0], scheduler)
    torch.testing.assert_close(noised, torch.full_like(noised, expected.item()), rtol=1e-4, atol=1e-5)


def test_at_least_one_step_is_run() -> None:
    assert last_timesteps(torch.tensor([750, 500, 250, 0]), 0.1).tolist() == [0]


def test_frames_are_quantised_to_8_bits_before_translation() -> None:
    # (0.1 + 1) * 127.5 = 140.25, which is 140; 140 / 127.5 - 1 = 0.09804. Values beyond 1 are clamped.
    # (0.498 + 1) * 127.5 = 190.995, which is 190: the published code cuts off what is behind the point.
    frames = torch.full((1, 3, 3, 4, 6), 0.1)
    frames[:, 1] = 3.0
    frames[:, 2] = 0.498
    resized = resize_8bit(Clip(frames, 8), 8, 12)
    assert resized.shape == (1, 3, 3, 8, 12)
    torch.testing.assert_close(resized[0, 0], torch.full((3, 8, 12), 140 / 127.5 - 1))
    torch.testing.assert_close(resized[0, 1], torch.ones(3, 8, 12))
    torch.testing.assert_close(resized[0, 2], torch.full((3, 8, 12), 190 / 127.5 - 1))
