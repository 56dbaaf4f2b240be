"""The stages: channel layouts, masks, windows and noising, with networks small enough to see through."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.families.show1.expert_translation import last_timesteps, noise_to_timestep, resize_8bit
from cascade.models.families.show1.interpolation import Interpolation, window_conditions
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.noise_augmentation import augmentation_schedule
from cascade.models.families.show1.super_resolution import SuperResolution, resize
from cascade.models.presets.table import SHAPES, StageKind, StageSpec, SuperResolutionOptions
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = torch.device("cpu")
HERE = Execution(device="cpu")
EMBEDDINGS = PromptEmbeddings(torch.ones(1, 2, 4), torch.zeros(1, 2, 4))


class Recorder(nn.Module):
    """A network that keeps what it is given and predicts a fixed clean sample."""

    def __init__(self, class_embed_type: str | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.config = SimpleNamespace(class_embed_type=class_embed_type)
        self.inputs: list[Tensor] = []
        self.texts: list[Tensor] = []
        self.labels: list[Tensor | None] = []

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, class_labels: Tensor | None = None
    ) -> Tensor:
        self.inputs.append(sample)
        self.texts.append(text)
        self.labels.append(class_labels)
        return sample[:, :3] * 0.5


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(prediction_type="sample", clip_sample=False)


def spec(kind: StageKind, **changes: object) -> StageSpec:
    return replace(SHAPES.stage(kind), steps=2, height=4, width=6, **changes)


def run(
    stage: object, stage_spec: StageSpec, seeds: tuple[int, ...], clip: Clip | None = None
) -> tuple[Clip, list]:
    steps: list[tuple[int, int]] = []
    inputs = StageInputs(stage_spec, "a prompt", "", EMBEDDINGS, seeds, clip)
    return stage(inputs, lambda k, n: steps.append((k, n))), steps


def test_keyframes_are_sampled_from_the_seeds_noise_and_guided_by_both_prompts() -> None:
    unet = Recorder()
    clip, steps = run(Keyframes(unet, scheduler(), None, HERE), spec(StageKind.KEYFRAMES), (7,))
    assert clip.frames.shape == (1, 8, 3, 4, 6)
    assert clip.fps == 2
    assert steps == [(1, 2), (2, 2)]
    noise = draw_noise((3, 8, 4, 6), seeded_generators([7]), CPU)
    assert torch.equal(unet.inputs[0], torch.cat([noise, noise]))
    assert torch.equal(unet.texts[0], torch.cat([EMBEDDINGS.negative, EMBEDDINGS.prompt]))


def test_a_guidance_scale_of_one_runs_the_prompt_alone() -> None:
    unet = Recorder()
    run(Keyframes(unet, scheduler(), None, HERE), spec(StageKind.KEYFRAMES, guidance_scale=1.0), (7,))
    assert torch.equal(unet.texts[0], EMBEDDINGS.prompt)


def test_interpolation_sees_linear_frames_and_a_mask_on_the_keyframes() -> None:
    keyframes = torch.tensor([0.0, 4.0, 0.0]).view(1, 3, 1, 1, 1)
    condition = window_conditions(keyframes, 3)
    assert condition.shape == (2, 2, 5, 1, 1)
    assert condition[0, 0].flatten().tolist() == [0, 1, 2, 3, 4]
    assert condition[1, 0].flatten().tolist() == [4, 3, 2, 1, 0]
    assert condition[0, 1].flatten().tolist() == [1, 0, 0, 0, 1]


def test_interpolation_runs_all_windows_as_one_batch_with_the_same_noise() -> None:
    unet = Recorder()
    clip, steps = run(
        Interpolation(unet, scheduler(), None, HERE),
        spec(StageKind.INTERPOLATION, guidance_scale=1.0),
        (7,),
        Clip(torch.randn(1, 8, 3, 4, 6), 2),
    )
    assert clip.frames.shape == (1, 29, 3, 4, 6)
    assert clip.fps == 8
    assert steps == [(1, 2), (2, 2)]
    assert unet.inputs[0].shape == (7, 3 + 3 + 1, 5, 4, 6)
    noise = draw_noise((3, 5, 4, 6), seeded_generators([7]), CPU)
    for window in unet.inputs[0]:
        assert torch.equal(window[:3], noise[0])


def test_a_later_window_overwrites_the_frame_it_shares() -> None:
    class Halver(Recorder):
        def forward(
            self, sample: Tensor, timestep: Tensor, text: Tensor, class_labels: Tensor | None = None
        ) -> Tensor:
            return torch.arange(sample.shape[0]).view(-1, 1, 1, 1, 1).expand_as(sample[:, :3]).float()

    clip, _ = run(
        Interpolation(Halver(), scheduler(), None, HERE),
        spec(StageKind.INTERPOLATION, guidance_scale=1.0),
        (7,),
        Clip(torch.zeros(1, 8, 3, 4, 6), 2),
    )
    values = clip.frames[0, :, 0, 0, 0].round().int().tolist()
    assert values == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [6] * 5


NOISED = SuperResolutionOptions(window=8, overlap=1, noise_level=100)


def test_super_resolution_hands_the_last_upscaled_frame_to_the_next_window() -> None:
    unet = Recorder("timestep")
    stage = SuperResolution(unet, scheduler(), None, HERE)
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    clip, steps = run(
        stage, spec(StageKind.SUPER_RESOLUTION, guidance_scale=1.0, options=NOISED), (7,), source
    )
    assert clip.frames.shape == (1, 29, 3, 4, 6)
    assert steps == [(k, 8) for k in range(1, 9)]  # 2 steps in each of 4 windows
    first, second = unet.inputs[0], unet.inputs[2]
    assert first.shape == (1, 3 + 3, 8, 4, 6)
    assert torch.equal(first[:, 3:, 0], torch.zeros(1, 3, 4, 6))
    # The frame that windows share is upscaled twice and the later window's stands; what the second window saw
    # is the first window's last output: half of its noisy input at the last step, by the network above.
    assert torch.allclose(second[0, 3:, 0], unet.inputs[1][0, :3, 7] * 0.5, atol=1e-5)
    assert unet.labels[0].tolist() == [100]


def test_super_resolution_noises_its_condition_at_the_noise_level() -> None:
    unet = Recorder()
    schedule = augmentation_schedule()
    stage = SuperResolution(unet, scheduler(), None, HERE, schedule)
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    run(stage, spec(StageKind.SUPER_RESOLUTION, guidance_scale=1.0, options=NOISED), (7,), source)
    generators = seeded_generators([7])
    draw_noise((3, 8, 4, 6), generators, CPU)  # the first draw is the sample's noise
    noise = draw_noise((3, 8, 4, 6), generators, CPU)
    abar = schedule.alphas_cumprod[100]
    expected = abar.sqrt() * resize(source.frames, 4, 6)[:, :, :8] + (1 - abar).sqrt() * noise
    torch.testing.assert_close(unet.inputs[0][:, 3:, 1:], expected[:, :, 1:])


def test_expert_translation_starts_at_the_intermediate_timestep() -> None:
    # 50 steps at strength 0.8 run the last 40, and noise to the first of these.
    schedule = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    schedule.set_timesteps(50)
    timesteps = last_timesteps(schedule.timesteps, 0.8)
    assert len(timesteps) == 40
    assert timesteps[0] == schedule.timesteps[10]
    latents, noise = torch.full((1, 2, 4, 1, 1), 0.5), torch.full((1, 2, 4, 1, 1), -1.0)
    # alpha_bar is the product of 1 - beta, betas being squares of values evenly between the square roots.
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = torch.prod(1 - betas[: int(timesteps[0]) + 1])
    expected = abar.sqrt() * 0.5 - (1 - abar).sqrt()
    noised = noise_to_timestep(latents, noise, timesteps[0], schedule)
    torch.testing.assert_close(noised, torch.full_like(noised, expected.item()), rtol=1e-4, atol=1e-5)


def test_frames_are_quantised_to_8_bits_before_expert_translation() -> None:
    # (0.1 + 1) * 127.5 = 140.25, which is 140; 140 / 127.5 - 1 = 0.09804. Values beyond 1 are clamped.
    frames = torch.full((1, 2, 3, 4, 6), 0.1)
    frames[:, 1] = 3.0
    resized = resize_8bit(Clip(frames, 8), 8, 12)
    assert resized.shape == (1, 2, 3, 8, 12)
    torch.testing.assert_close(resized[0, 0], torch.full((3, 8, 12), 140 / 127.5 - 1))
    torch.testing.assert_close(resized[0, 1], torch.ones(3, 8, 12))


@pytest.mark.parametrize(
    ("kind", "stage"),
    [(StageKind.INTERPOLATION, Interpolation), (StageKind.SUPER_RESOLUTION, SuperResolution)],
)
def test_a_clip_of_the_wrong_length_is_refused(kind: StageKind, stage: type) -> None:
    with pytest.raises(ValueError, match="needs"):
        run(
            stage(Recorder(), scheduler(), None, HERE),
            spec(kind),
            (7,),
            Clip(torch.zeros(1, 5, 3, 2, 3), 2),
        )
