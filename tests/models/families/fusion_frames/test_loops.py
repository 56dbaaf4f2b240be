"""Sampling, step by step as the published pipelines: with their noise, through the loop that all stages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from einops import rearrange
from torch import Tensor

from cascade.models.diffusion.sampling import Predict, draw_noise, sample_from_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler, inference_timesteps
from cascade.models.families.fusion_frames.interpolation import interpolation_predictor, put_between
from cascade.models.families.fusion_frames.interpolation_unet import InterpolationUNet
from cascade.models.families.fusion_frames.keyframes import keyframes_predictor
from cascade.models.families.fusion_frames.keyframes_unet import KeyframesUNet
from cascade.models.families.fusion_frames.respaced_ddpm import RespacedDDPM, cosine_betas
from cascade.models.families.fusion_frames.sampler import make_sampler
from cascade.models.families.fusion_frames.text import Context, null_context
from cascade.models.presets.kandinsky_video import Sampler
from tests.models.families.fusion_frames.golden import about, error, network, tensors


def contexts(inputs: dict[str, Tensor]) -> tuple[Context, Context]:
    prompt = Context(inputs["context"][:1], inputs["context_mask"][:1].bool())
    return prompt, null_context(inputs["null_embedding"], prompt.tokens.shape[1])


def errors_by_step(
    predict: Predict,
    scheduler: Scheduler,
    noise: Tensor,
    expected: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[float], Tensor]:
    """Sample with a case's noise (1 + steps, frames, channels, height, width); the error of each step, and the sample."""
    draws: Iterator[Tensor] = iter(noise)

    def draw(shape: tuple[int, ...], **_options: object) -> Tensor:
        """torch.randn as the case has it; the first draw is of (channels, frames, ...), those of steps are of frames."""
        drawn = next(draws)
        return drawn if tuple(shape) == tuple(drawn.shape) else rearrange(drawn, "f c h w -> c f h w")

    monkeypatch.setattr(torch, "randn", draw)
    samples: list[Tensor] = []

    def watched(sample: Tensor, timestep: Tensor) -> Tensor:
        samples.append(sample)
        return predict(sample, timestep)

    frames, channels, height, width = noise.shape[1:]
    generators = seeded_generators([0])
    start = draw_noise((channels, frames, height, width), generators, torch.device("cpu"))
    with torch.inference_mode():
        last = sample_from_noise(watched, start, scheduler, len(noise) - 1, generators, lambda *_: None)
    stepped = [*samples[1:], last]
    assert next(draws, None) is None
    found = [
        error(rearrange(sample[0], "c f h w -> f c h w"), expected[f"sample_{step:02d}"])
        for step, sample in enumerate(stepped)
    ]
    return found, last


def test_the_golden_keyframes_loop_of_version_1_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured: 2e-5 at the worst step."""
    case = "keyframes_loop_1_0"
    inputs, expected = tensors(case, "inputs"), tensors(case, "outputs")
    unet = network("keyframes_unet_1_0", KeyframesUNet)
    prompt, no_text = contexts(inputs)
    known = {"temporal_embed": inputs["temporal_positions"]}
    predict = keyframes_predictor(unet, prompt, no_text, 1 + about(case)["guidance_scale"], known)
    sampler = RespacedDDPM("epsilon", about(case)["percentile"])
    found, _ = errors_by_step(predict, sampler, inputs["noise"], expected, monkeypatch)
    assert len(found) == about(case)["steps"]
    assert max(found) < 1e-3, found


def test_the_golden_interpolation_loop_of_version_1_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured: 2e-5 at the worst step; the assembled video has the keyframes at every fourth place."""
    case = "interpolation_loop_1_1"
    inputs, expected, told = tensors(case, "inputs"), tensors(case, "outputs"), about(case)
    unet = network("interpolation_unet_1_1", InterpolationUNet)
    prompt, no_text = contexts(inputs)
    keyframes = inputs["keyframes"][None]
    predict = interpolation_predictor(
        unet,
        keyframes,
        prompt,
        no_text,
        1 + told["guidance_scale"],
        told["skip_frames"],
        told["perturbation_time"],
        has_mask=True,
    )
    sampler = make_sampler(Sampler("zero-terminal-snr", "v_prediction", "trailing"))
    assert inference_timesteps(sampler, told["steps"]).tolist() == expected["timesteps"].tolist()
    found, groups = errors_by_step(predict, sampler, inputs["noise"], expected, monkeypatch)
    assert len(found) == told["steps"]
    assert max(found) < 1e-3, found
    assert error(put_between(keyframes, groups)[0], expected["video"]) < 1e-3


def test_the_schedule_is_made_anew_for_the_number_of_steps() -> None:
    betas = tensors("keyframes_loop_1_0", "outputs")["betas"]
    assert torch.equal(cosine_betas(8), betas)
    scheduler = RespacedDDPM()
    assert inference_timesteps(scheduler, 50).tolist() == [20 * step for step in range(49, -1, -1)]


def test_an_estimate_is_divided_by_its_quantile_frame_by_frame() -> None:
    """Of 0 ... 2 the 98 % quantile is 1.96; of 0 ... 0.5 it is below 1, and nothing changes."""
    frames = torch.stack([torch.linspace(0, 2, 101), torch.linspace(0, 0.5, 101)])[:, None, None]
    shrunk = RespacedDDPM().shrink(frames)
    expected = torch.linspace(0, 2, 101).clamp(max=1.96) / 1.96
    torch.testing.assert_close(shrunk[0, 0, 0], expected)
    torch.testing.assert_close(shrunk[1], frames[1])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_network_that_knows_the_clean_sample_leads_to_it(prediction: str) -> None:
    """x = alpha·z - sigma·v (section 4.2), and x = (z - sigma·noise) / alpha."""
    scheduler, clean = RespacedDDPM(prediction), torch.rand(1, 4, 3, 2, 2) * 2 - 1

    def predict(sample: Tensor, timestep: Tensor) -> Tensor:
        share = scheduler.alphas_cumprod[int(timestep) // scheduler.scale]
        alpha, sigma = share.sqrt(), (1 - share).sqrt()
        noise = (sample - alpha * clean) / sigma
        return noise if prediction == "epsilon" else alpha * noise - sigma * clean

    generators = seeded_generators([3])
    start = draw_noise((4, 3, 2, 2), generators, torch.device("cpu"))
    result = sample_from_noise(predict, start, scheduler, 20, generators, lambda *_: None)
    torch.testing.assert_close(result, clean, rtol=1e-3, atol=1e-3)


def test_noise_is_added_as_the_schedule_says() -> None:
    scheduler = RespacedDDPM()
    scheduler.set_timesteps(10)
    clean, noise = torch.ones(2, 4, 1, 1), torch.full((2, 4, 1, 1), 2.0)
    noised = scheduler.add_noise(clean, noise, torch.tensor([0, 900]))
    shares = scheduler.alphas_cumprod[[0, 9]]
    torch.testing.assert_close(noised[:, 0, 0, 0], shares.sqrt() + 2 * (1 - shares).sqrt())
