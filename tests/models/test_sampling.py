"""Guidance, windows, noise and the denoising loop against arithmetic and the published loop."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from safetensors.torch import load_file

from cascade.models.clip import PromptEmbeddings
from cascade.models.diffusion.guidance import guide, guided_predictor
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.families.show1.windows import keyframe_windows, overlapping_windows

GOLDEN = Path(__file__).parent / "golden"
CPU = torch.device("cpu")


def test_guidance_moves_the_noise_away_from_the_negative_prompt() -> None:
    # 1 + 9 * (3 - 1) = 19; the variance channel keeps the prompt's own 7.
    negative = torch.tensor([1.0, 5.0]).view(1, 2, 1, 1, 1)
    positive = torch.tensor([3.0, 7.0]).view(1, 2, 1, 1, 1)
    assert guide(negative, positive, 9.0, 1).flatten().tolist() == [19.0, 7.0]


def test_8_keyframes_become_7_windows_that_cover_29_frames() -> None:
    windows = keyframe_windows(8, 3)
    assert [(w.start, w.stop) for w in windows] == [
        (0, 5),
        (4, 9),
        (8, 13),
        (12, 17),
        (16, 21),
        (20, 25),
        (24, 29),
    ]


def test_29_frames_are_4_windows_of_8_that_share_a_frame() -> None:
    windows = overlapping_windows(29, 8, 1)
    assert [(w.start, w.stop) for w in windows] == [(0, 8), (7, 15), (14, 22), (21, 29)]


@pytest.mark.parametrize(("frames", "window", "overlap"), [(28, 8, 1), (4, 8, 1), (29, 8, 8)])
def test_windows_that_do_not_cover_the_frames_are_refused(frames: int, window: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="do not cover"):
        overlapping_windows(frames, window, overlap)


def test_noise_augmentation_follows_the_squared_cosine_schedule() -> None:
    # Nichol & Dhariwal: alpha_bar(t) = f(t+1) / f(0), f(s) = cos^2((s/1000 + 0.008) / 1.008 * pi/2).
    def f(step: int) -> float:
        return math.cos((step / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    alpha_bar = f(251) / f(0)
    condition, noise = torch.full((1, 3, 2, 1, 1), 0.5), torch.full((1, 3, 2, 1, 1), -2.0)
    noised = augment(condition, noise, 250, augmentation_schedule())
    expected = math.sqrt(alpha_bar) * 0.5 + math.sqrt(1 - alpha_bar) * -2.0
    torch.testing.assert_close(noised, torch.full_like(noised, expected), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="noise level 1000"):
        augment(condition, noise, 1000, augmentation_schedule())


def test_the_guided_loop_agrees_with_the_published_code_at_every_step() -> None:
    about = json.loads((GOLDEN / "keyframes_loop" / "about.json").read_text())
    config = json.loads((GOLDEN / "keyframes_unet" / "config.json").read_text())
    unet = PixelVideoUNet(PixelUNetConfig.from_dict(config)).eval()
    unet.load_state_dict(load_file(GOLDEN / "keyframes_unet" / "weights.safetensors"))
    inputs = load_file(GOLDEN / "keyframes_loop" / "inputs.safetensors")
    outputs = load_file(GOLDEN / "keyframes_loop" / "outputs.safetensors")
    negative, positive = inputs["embeddings"].chunk(2)
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
    )
    scheduler.set_timesteps(about["steps"])
    assert scheduler.timesteps.tolist() == outputs["timesteps"].tolist()
    generators = seeded_generators([about["generator_seed"]])
    noise = draw_noise(tuple(inputs["initial_noise"].shape[1:]), generators, CPU)
    assert torch.equal(noise, inputs["initial_noise"])

    predict = guided_predictor(unet, PromptEmbeddings(positive, negative), about["guidance_scale"])
    # Each step starts from the published sample before it: with guidance 9 this random network multiplies
    # any difference about eightfold per step, so that even one thread against two differs by 5e-2 after six.
    sample = noise
    for step in range(about["steps"]):
        timesteps = scheduler.timesteps[step : step + 1]
        with torch.inference_mode():
            stepped = denoise(predict, sample, scheduler, timesteps, generators, lambda _k, _n: None)
        sample = outputs[f"sample_{step:02d}"]
        error = ((stepped - sample).abs().max() / sample.abs().max()).item()
        assert error < 1e-4, f"relative error {error:.1e} at step {step}"


def test_thresholds_are_per_frame() -> None:
    # Predicted x0 of frame 0 is 4 everywhere and of frame 1 is 0.5: with a threshold per frame, frame 0 is
    # scaled to 1 (4 / 4) and frame 1, whose 95th percentile is below 1, stays as it is.
    scheduler = DDIMScheduler(
        prediction_type="sample", clip_sample=False, thresholding=True, sample_max_value=4.0
    )
    scheduler.set_timesteps(1)
    x0 = torch.tensor([4.0, 0.5]).view(1, 1, 2, 1, 1).expand(1, 1, 2, 3, 3)
    result = denoise(
        lambda _s, _t: x0,
        torch.zeros(1, 1, 2, 3, 3),
        scheduler,
        scheduler.timesteps,
        seeded_generators([0]),
        lambda *_: None,
    )
    abar = scheduler.alphas_cumprod[scheduler.timesteps[0]]
    previous = scheduler.final_alpha_cumprod
    for frame, expected_x0 in enumerate([1.0, 0.5]):
        eps = (0 - abar.sqrt() * expected_x0) / (1 - abar).sqrt()
        expected = previous.sqrt() * expected_x0 + (1 - previous).sqrt() * eps
        torch.testing.assert_close(result[0, 0, frame], torch.full((3, 3), expected.item()))


def test_progress_counts_to_n_and_raising_in_it_stops_the_loop() -> None:
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(5)
    calls: list[tuple[int, int]] = []
    zero = torch.zeros(1, 1, 1, 2, 2)
    denoise(
        lambda s, _t: s,
        zero,
        scheduler,
        scheduler.timesteps,
        seeded_generators([0]),
        lambda *c: calls.append(c),
    )
    assert calls == [(k, 5) for k in range(1, 6)]

    class Cancelled(Exception):
        pass

    predictions = []

    def predict(sample: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        predictions.append(sample)
        return sample

    def stop_after_two(step: int, _: int) -> None:
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        denoise(predict, zero, scheduler, scheduler.timesteps, seeded_generators([0]), stop_after_two)
    assert len(predictions) == 2


def test_a_seed_fixes_its_noise_whatever_is_beside_it() -> None:
    alone = draw_noise((3, 2, 4, 4), seeded_generators([7]), CPU)
    beside = draw_noise((3, 2, 4, 4), seeded_generators([1, 7]), CPU)
    assert torch.equal(alone[0], beside[1])
    assert not torch.equal(beside[0], beside[1])
