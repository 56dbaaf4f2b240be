"""Super-resolution: window after window, each with the last upscaled frame of the one before."""

from __future__ import annotations

import pytest
import torch

from cascade.models.clip import Clip
from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import StageInputError
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


def spec() -> AnyStageSpec:
    return small_spec(
        "super-resolution", options=SuperResolutionOptions(window=8, overlap=1, noise_level=100)
    )


def test_the_last_upscaled_frame_goes_to_the_next_window() -> None:
    unet = Recorder(noise_level=True)
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    clip, steps = run(super_resolution(unet), spec(), (7,), source)
    assert clip.frames.shape == (1, 29, 3, 4, 6)
    assert steps == [(k, 8) for k in range(1, 9)]  # 2 steps in each of 4 windows
    first, second = unet.inputs[0], unet.inputs[2]
    assert first.shape == (1, 3 + 3, 8, 4, 6)
    assert torch.equal(first[:, 3:, 0], torch.zeros(1, 3, 4, 6))
    # The frame that windows share is upscaled twice and the later window's stands; what the second window saw
    # is the first window's last output: half of its noisy input at the last step, by the network above.
    assert torch.allclose(second[0, 3:, 0], unet.inputs[1][0, :3, 7] * 0.5, atol=1e-5)


def test_a_network_that_takes_the_noise_level_is_told_it() -> None:
    source = Clip(torch.randn(1, 29, 3, 2, 3), 8)
    taking, plain = Recorder(noise_level=True), Recorder()
    for unet in (taking, plain):
        run(super_resolution(unet), spec(), (7,), source)
    assert [None if labels is None else labels.tolist() for labels in taking.labels] == [[100]] * 8
    assert plain.labels == [None] * 8


def test_every_window_starts_from_the_seed_again() -> None:
    """As in the published code: sample and augmentation see the same noise in all windows."""
    unet, schedule = Recorder(), augmentation_schedule()
    source = Clip(torch.randn(2, 29, 3, 2, 3), 8)
    run(super_resolution(unet, schedule), spec(), (7, 8), source)
    generators = seeded_generators([7, 8])
    sample = draw_noise((3, 8, 4, 6), generators, CPU)
    augmentation = draw_noise((3, 8, 4, 6), generators, CPU)
    resized = resize(source.frames, 4, 6)
    abar = schedule.alphas_cumprod[100]  # type: ignore[attr-defined]
    for start, window in zip(STARTS, unet.inputs[::2], strict=True):  # the first of two steps of each window
        assert torch.equal(window[:, :3], sample)
        expected = abar.sqrt() * resized[:, :, start : start + 8] + (1 - abar).sqrt() * augmentation
        torch.testing.assert_close(window[:, 3:, 1:], expected[:, :, 1:])


def test_frames_are_resized_linearly_with_aligned_corners() -> None:
    # Three pixels become five: the corners stay, and those between are halfway.
    row = torch.tensor([0.0, 2.0, 6.0]).view(1, 1, 1, 1, 3)
    assert resize(row, 1, 5).flatten().tolist() == [0, 1, 2, 4, 6]


def test_a_clip_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(StageInputError, match="super-resolution needs 1 videos of 29 frames"):
        run(super_resolution(Recorder()), spec(), (7,), Clip(torch.zeros(1, 5, 3, 2, 3), 2))
