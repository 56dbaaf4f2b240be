"""Interpolation: windows between keyframes, their condition and mask."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.errors import StageInputError
from cascade.models.families.show1.interpolation import Interpolation, window_conditions
from tests.models.families.show1.recorder import (
    CPU,
    HERE,
    NoText,
    Recorder,
    clean_sample_scheduler,
    run,
    small_spec,
)


def interpolation(unet: Recorder) -> Interpolation:
    return Interpolation(unet, clean_sample_scheduler(), NoText(), HERE)


def test_the_condition_is_linear_between_keyframes_and_the_mask_is_on_them() -> None:
    keyframes = torch.tensor([0.0, 4.0, 0.0]).view(1, 3, 1, 1, 1)
    condition = window_conditions(keyframes, 3)
    assert condition.shape == (2, 2, 5, 1, 1)
    assert condition[0, 0].flatten().tolist() == [0, 1, 2, 3, 4]
    assert condition[1, 0].flatten().tolist() == [4, 3, 2, 1, 0]
    assert condition[0, 1].flatten().tolist() == [1, 0, 0, 0, 1]


def test_all_windows_run_as_one_batch_with_the_same_noise() -> None:
    unet = Recorder()
    keyframes = Clip(torch.randn(1, 8, 3, 4, 6), 2)
    clip, steps = run(interpolation(unet), small_spec("interpolation"), (7,), keyframes)
    assert clip.frames.shape == (1, 29, 3, 4, 6)
    assert clip.fps == 8
    assert steps == [(1, 2), (2, 2)]
    assert unet.inputs[0].shape == (7, 3 + 3 + 1, 5, 4, 6)
    noise = draw_noise((3, 5, 4, 6), seeded_generators([7]), CPU)
    for window in unet.inputs[0]:
        assert torch.equal(window[:3], noise[0])
    torch.testing.assert_close(unet.inputs[0][:, 3:], window_conditions(keyframes.frames, 3))


def test_a_later_window_overwrites_the_frame_it_shares() -> None:
    class Counter(Recorder):
        """Predicts each window's index as its pixels."""

        def predict(self, sample: Tensor) -> Tensor:
            """(windows, 3, frames, height, width) to the same."""
            return torch.arange(sample.shape[0]).view(-1, 1, 1, 1, 1).expand_as(sample).float()

    keyframes = Clip(torch.zeros(1, 8, 3, 4, 6), 2)
    clip, _ = run(interpolation(Counter()), small_spec("interpolation"), (7,), keyframes)
    values = clip.frames[0, :, 0, 0, 0].round().int().tolist()
    assert values == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [6] * 5


def test_keyframes_of_another_number_are_refused() -> None:
    with pytest.raises(StageInputError, match="interpolation needs 1 videos of 8 frames"):
        run(interpolation(Recorder()), small_spec("interpolation"), (7,), Clip(torch.zeros(1, 5, 3, 2, 3), 2))
