"""Super-resolution: window after window, each with the last upscaled frame of the one before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import PresetError, StageInputError
from cascade.models.families.shapes.stages import SmallSuperResolution
from cascade.models.families.show1.noise_augmentation import augmentation_schedule
from cascade.models.families.show1.super_resolution import SuperResolution, resize
from cascade.models.presets.show1 import SuperResolutionOptions
from cascade.models.presets.spec import AnyStageSpec
from tests.models.families.show1.recorder import (
    CPU,
    HERE,
    NoText,
    Recorder,
    clean_sample_scheduler,
    run,
    small_spec,
)

STARTS = (0, 7, 14, 21)
"""The first frames of windows of 8 that share 1, of 29 frames."""


def super_resolution(unet: Recorder, noising: Scheduler | None = None) -> SuperResolution:
    return SuperResolution(unet, clean_sample_scheduler(), NoText(), HERE, noising)


def spec(overlap: int = 1, **changes: Any) -> AnyStageSpec:
    options = SuperResolutionOptions(window=8, overlap=overlap, noise_level=100)
    return small_spec("super-resolution", options=options, **changes)


def conditions(source: Clip, starts: tuple[int, ...]) -> list[Tensor]:
    """Work out what windows of 8 frames see beside the noise, all frames noised at level 100, for seeds from 7 on."""
    generators = seeded_generators(range(7, 7 + len(source.frames)))
    draw_noise((3, 8, 4, 6), generators, CPU)  # of the sample
    augmentation = draw_noise((3, 8, 4, 6), generators, CPU)
    resized = resize(source.frames, 4, 6)
    abar = augmentation_schedule().alphas_cumprod[100]  # type: ignore[attr-defined]
    return [
        abar.sqrt() * resized[:, :, start : start + 8] + (1 - abar).sqrt() * augmentation for start in starts
    ]


def test_the_last_upscaled_frame_goes_to_the_next_window() -> None:
    unet = Recorder(noise_level=True)
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    clip, steps = run(super_resolution(unet), spec(), (7,), source)
    assert clip.frames.shape == (1, 29, 3, 4, 6)
    assert steps == [(k, 8) for k in range(1, 9)]  # 2 steps in each of 4 windows
    first, second = unet.inputs[0], unet.inputs[2]
    assert first.shape == (1, 3 + 3, 8, 4, 6)
    # The frame that windows share is upscaled twice and the later window's stands; what the second window saw
    # is the first window's last output: half of its noisy input at the last step, by the network above.
    assert torch.allclose(second[0, 3:, 0], unet.inputs[1][0, :3, 7] * 0.5, atol=1e-5)


def test_the_first_window_keeps_the_noised_frame_without_an_image_model() -> None:
    unet = Recorder()
    source = Clip(torch.randn(2, 29, 3, 2, 3), 8)
    run(super_resolution(unet), spec(), (7, 8), source)
    torch.testing.assert_close(unet.inputs[0][:, 3:], conditions(source, (0,))[0])


def test_a_network_that_was_trained_with_a_blank_first_frame_sees_one() -> None:
    unet = Recorder()
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    run(SmallSuperResolution(unet, clean_sample_scheduler(), NoText(), HERE), spec(), (7,), source)
    first = unet.inputs[0][:, 3:]
    assert torch.equal(first[:, :, 0], torch.zeros(1, 3, 4, 6))
    torch.testing.assert_close(first[:, :, 1:], conditions(source, (0,))[0][:, :, 1:])


def test_windows_that_share_no_frame_each_keep_their_own() -> None:
    unet = Recorder()
    source = Clip(torch.randn(1, 16, 3, 2, 3), 8)
    clip, steps = run(super_resolution(unet), spec(overlap=0, frames=16), (7,), source)
    assert steps == [(k, 4) for k in range(1, 5)]
    for sample, expected in zip(unet.inputs[::2], conditions(source, (0, 8)), strict=True):
        torch.testing.assert_close(sample[:, 3:], expected)
    windows = (
        torch.stack([unet.inputs[1][0, :3], unet.inputs[3][0, :3]]) * 0.5
    )  # as the network above predicts
    torch.testing.assert_close(
        clip.frames[0], rearrange(windows, "w c f h w2 -> (w f) c h w2"), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("frames", [7, 9, 14, 16, 28, 30])
def test_frames_that_windows_do_not_cover_are_refused_before_anything_runs(frames: int) -> None:
    unet = Recorder()
    with pytest.raises(PresetError, match=f"do not cover {frames} frames exactly"):
        run(super_resolution(unet), spec(frames=frames), (7,), Clip(torch.zeros(1, frames, 3, 2, 3), 8))
    assert unet.inputs == []


def test_a_network_that_takes_the_noise_level_is_told_it() -> None:
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    taking, plain = Recorder(noise_level=True), Recorder()
    for unet in (taking, plain):
        run(super_resolution(unet), spec(), (7,), source)
    assert [None if labels is None else labels.tolist() for labels in taking.labels] == [[100]] * 8
    assert plain.labels == [None] * 8


def test_every_window_starts_from_the_seed_again() -> None:
    """As in the published code: sample and augmentation see the same noise in all windows."""
    unet = Recorder()
    source = Clip(torch.randn(2, 29, 3, 2, 3), 8)
    run(super_resolution(unet, augmentation_schedule()), spec(), (7, 8), source)
    sample = draw_noise((3, 8, 4, 6), seeded_generators([7, 8]), CPU)
    for window, expected in zip(
        unet.inputs[::2], conditions(source, STARTS), strict=True
    ):  # of two steps the first
        assert torch.equal(window[:, :3], sample)
        torch.testing.assert_close(window[:, 3:, 1:], expected[:, :, 1:])


def test_frames_are_resized_linearly_with_aligned_corners() -> None:
    # Three pixels become five: the corners stay, and those between are halfway.
    row = torch.tensor([0.0, 2.0, 6.0]).view(1, 1, 1, 1, 3)
    assert resize(row, 1, 5).flatten().tolist() == [0, 1, 2, 4, 6]


def test_a_clip_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(StageInputError, match="super-resolution needs 1 videos of 29 frames"):
        run(super_resolution(Recorder()), spec(), (7,), Clip(torch.zeros(1, 5, 3, 2, 3), 2))
