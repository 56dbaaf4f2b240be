"""Noise and the denoising loop against arithmetic and the published loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from safetensors.torch import load_file

from cascade.models.clip import PromptEmbeddings
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import (
    OnStep,
    denoise,
    draw_noise,
    sample_from_noise,
    seeded_generators,
)
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.pixel_unet import PixelVideoUNet

GOLDEN = Path(__file__).parents[1] / "golden"
CPU = torch.device("cpu")


def test_the_guided_loop_agrees_with_the_published_code_at_every_step() -> None:
    about = json.loads((GOLDEN / "keyframes_loop" / "about.json").read_text())
    config = json.loads((GOLDEN / "keyframes_unet" / "config.json").read_text())
    unet = PixelVideoUNet.from_config(config).eval()
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

    predictions: list[torch.Tensor] = []

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


def euler_sigmas(steps: int) -> torch.Tensor:
    """Work out the noise levels of Euler's steps, evenly spaced in time, and zero: (steps + 1,)."""
    betas = torch.linspace(0.0001, 0.02, 1000, dtype=torch.float64)
    abar = torch.cumprod(1 - betas, 0)
    times = torch.linspace(999, 0, steps, dtype=torch.float64)
    all_sigmas = ((1 - abar) / abar).sqrt()
    low, share = times.floor().long(), times - times.floor()
    sigmas = all_sigmas[low] + share * (all_sigmas[(low + 1).clamp(max=999)] - all_sigmas[low])
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def test_a_scheduler_that_scales_its_input_is_called_so() -> None:
    """Euler's method (Karras et al., 2022, algorithm 2 without churn) on x' = (x - D(x)) / sigma, worked out by hand.

    The network sees x / sqrt(sigma² + 1), and predicts half of what it sees as the clean sample.
    """
    steps, noise = 4, draw_noise((3, 2, 4, 4), seeded_generators([7, 8]), CPU)
    seen: list[torch.Tensor] = []

    def predict(sample: torch.Tensor, _timestep: torch.Tensor) -> torch.Tensor:
        seen.append(sample)
        return sample * 0.5

    calls: list[tuple[int, int]] = []
    result = sample_from_noise(
        predict,
        noise,
        EulerDiscreteScheduler(prediction_type="sample"),
        steps,
        seeded_generators([7, 8]),
        lambda *call: calls.append(call),
    )

    sigmas = euler_sigmas(steps)
    x = noise.double() * sigmas[0]
    for index, (sigma, following) in enumerate(pairwise(sigmas)):
        scaled = x / (sigma**2 + 1).sqrt()
        torch.testing.assert_close(seen[index].double(), scaled, rtol=1e-3, atol=1e-3)
        x = x + (x - scaled * 0.5) / sigma * (following - sigma)
    torch.testing.assert_close(result.double(), x, rtol=1e-3, atol=1e-3)
    assert calls == [(k, steps) for k in range(1, steps + 1)]


def test_a_scheduler_that_does_not_scale_begins_with_the_noise_itself() -> None:
    noise = draw_noise((3, 1, 4, 4), seeded_generators([7]), CPU)
    seen: list[torch.Tensor] = []

    def predict(sample: torch.Tensor, _timestep: torch.Tensor) -> torch.Tensor:
        seen.append(sample)
        return sample

    sample_from_noise(predict, noise, DDIMScheduler(), 2, seeded_generators([7]), lambda *_: None)
    assert torch.equal(seen[0], noise)


class Watcher:
    """Looks at the estimate of every step."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.estimates: list[torch.Tensor] = []

    def __call__(self, step: int, steps: int) -> None:
        assert self.steps[-1] == (step, steps)  # the estimate comes before the step is reported

    def look(self, step: int, steps: int, estimate: Callable[[], torch.Tensor]) -> None:
        self.steps.append((step, steps))
        self.estimates.append(estimate())


def sampled(scheduler: Scheduler, on_step: OnStep) -> torch.Tensor:
    """Three videos of two frames, by a network that takes a quarter of what it sees for the clean sample."""
    noise = draw_noise((3, 2, 4, 4), seeded_generators([7, 8, 9]), CPU)
    return sample_from_noise(
        lambda sample, _: sample * 0.25, noise, scheduler, 6, seeded_generators([7, 8, 9]), on_step
    )


@pytest.mark.parametrize("kind", [DDPMScheduler, DDIMScheduler, EulerDiscreteScheduler])
def test_who_watches_sees_what_the_network_takes_for_the_clean_sample_and_changes_nothing(
    kind: type[DDPMScheduler],
) -> None:
    options = {} if kind is EulerDiscreteScheduler else {"clip_sample": False}
    scheduler = kind(prediction_type="sample", **options)
    seen: list[torch.Tensor] = []
    watcher = Watcher()
    unwatched = sampled(scheduler, lambda *_: None)
    assert torch.equal(sampled(scheduler, watcher), unwatched)
    assert watcher.steps == [(k, 6) for k in range(1, 7)]
    noise = draw_noise((3, 2, 4, 4), seeded_generators([7, 8, 9]), CPU)
    sample_from_noise(
        lambda sample, _: seen.append(sample) or sample * 0.25,  # type: ignore[func-returns-value]
        *(noise, scheduler, 6, seeded_generators([7, 8, 9]), lambda *_: None),
    )
    for estimate, sample in zip(watcher.estimates, seen, strict=True):
        torch.testing.assert_close(estimate, sample * 0.25)


def test_of_a_scheduler_without_estimates_the_sample_is_seen() -> None:
    scheduler, watcher = DPMSolverMultistepScheduler(), Watcher()
    result = sampled(scheduler, watcher)
    assert torch.equal(watcher.estimates[-1], result)


def test_a_watcher_of_a_stage_in_parts_sees_steps_of_the_whole_stage() -> None:
    watcher = Watcher()
    planned = PlannedSteps(watcher, 10)
    planned.part(4)  # nothing is reported of this one
    sampled(DDIMScheduler(), planned.part(6))
    assert watcher.steps == [(4 + k, 10) for k in range(1, 7)]
