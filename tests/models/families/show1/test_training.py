"""Trainings of the pixel stages: what the networks are shown, and what they begin with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from cascade.models.families.show1.interpolation import window_conditions
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.recipes import RECIPES
from cascade.models.families.show1.super_resolution import resize
from cascade.models.families.show1.training import (
    InterpolationTraining,
    KeyframesTraining,
    SuperResolutionTraining,
    downscale,
)
from cascade.models.training.recipe import Phase
from tests.models.families.show1.recorder import Recorder
from tests.models.families.show1.small_configs import KEYFRAMES
from tests.models.families.show1.small_trainings import parts_of, random_batch

WHOLE = Phase(1, 1)
CLIP, CONDITION = slice(0, 3), slice(3, 6)


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("trainable", "frames"), [("all", 8), ("temporal", 8), ("spatial", 1)])
def test_keyframes_learn_from_clips_and_images_from_single_frames(trainable: str, frames: int) -> None:
    unet = Recorder()
    KeyframesTraining(*parts_of("keyframes", unet))(random_batch(3, 8), Phase(1, 3, trainable), seeded())
    assert unet.inputs[0].shape == (3, 3, frames, 16, 32)


def test_the_image_of_a_clip_is_any_of_its_frames() -> None:
    """A perfect prediction of the clean frame costs nothing, so that the loss tells the frame."""
    batch = random_batch(1, 4)
    frames = set()
    for seed in range(20):
        unet = Recorder()
        training = KeyframesTraining(*parts_of("keyframes", unet))
        loss = training(batch, Phase(1, 1, "spatial"), seeded(seed))
        prediction = 0.5 * unet.inputs[0][0, :, 0]
        errors = [(prediction - frame).square().mean() for frame in batch.frames[0]]
        frames.add(int(torch.stack([(error - loss).abs() for error in errors]).argmin()))
        assert min(abs(error - loss) for error in errors) < 1e-6
    assert frames == {0, 1, 2, 3}


def test_interpolation_begins_as_keyframes_with_new_channels_at_zero() -> None:
    torch.manual_seed(1)
    keyframes = PixelVideoUNet(KEYFRAMES).state_dict()
    unet = PixelVideoUNet(replace(KEYFRAMES, in_channels=7))
    InterpolationTraining(*parts_of("interpolation", unet)).start_from(keyframes)
    own = unet.state_dict()
    assert torch.equal(own["conv_in.weight"][:, :3], keyframes["conv_in.weight"])
    assert not own["conv_in.weight"][:, 3:].any()
    assert all(torch.equal(own[name], keyframes[name]) for name in own if name != "conv_in.weight")


def test_interpolation_is_shown_what_the_stage_will_show_it() -> None:
    """One of the two windows of five frames of a clip of nine, and their keyframes."""
    unet, batch = Recorder(), random_batch(1, 9)
    training = InterpolationTraining(*parts_of("interpolation", unet, frames_between=3))
    expected = [window_conditions(batch.frames[:, [start, start + 4]], 3) for start in (0, 4)]
    starts = set()
    for seed in range(8):
        training(batch, WHOLE, seeded(seed))
        sample = unet.inputs[-1]
        assert sample.shape == (1, 7, 5, 16, 32)
        starts |= {index for index, condition in enumerate(expected) if torch.equal(sample[:, 3:], condition)}
    assert starts == {0, 1}


def super_resolution(unet: Recorder, **changes: float) -> SuperResolutionTraining:
    training = SuperResolutionTraining(*parts_of("super-resolution", unet, window=4))
    training.recipe = replace(training.recipe, **changes)  # type: ignore[arg-type]
    return training


def test_super_resolution_learns_from_the_condition_that_it_will_be_given() -> None:
    """A crop of the whole picture's resized low resolution, not the resized low resolution of a crop."""
    unet, batch = Recorder(), random_batch(1, 4, 32, 64)
    whole = resize(downscale(batch.frames, 4), 32, 64)
    crop = Phase(1, 1, crop=(16, 32))
    super_resolution(unet, max_noise_level=0, previous_dropout=0.0)(batch, crop, seeded())
    cropped = unet.inputs[0][:, CONDITION, 1:]
    assert cropped.shape == (1, 3, 3, 16, 32)
    places = [
        (top, left)
        for top in range(17)
        for left in range(33)
        if torch.allclose(whole[:, :, 1:, top : top + 16, left : left + 32], cropped, atol=0.1)
    ]
    assert len(places) == 1
    ((top, left),) = places
    first = unet.inputs[0][0, CONDITION, 0]
    assert torch.equal(first, batch.frames[0, 0, :, top : top + 16, left : left + 32])


@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_super_resolution_sees_the_frame_before_unless_it_is_dropped(dropout: float) -> None:
    unet, batch = Recorder(), random_batch(2, 4)
    super_resolution(unet, previous_dropout=dropout, max_noise_level=0)(batch, WHOLE, seeded())
    first = unet.inputs[0][:, CONDITION, 0]
    if dropout:  # what the stage has without a frame before: the resized one, here nearly without noise
        resized = resize(downscale(batch.frames, 4), 16, 32)[:, :, 0]
        torch.testing.assert_close(first, resized, rtol=0, atol=0.1)
    else:
        assert torch.equal(first, batch.frames[:, 0])


def test_super_resolution_is_told_the_noise_level_of_its_condition() -> None:
    unet, batch = Recorder(noise_level=True), random_batch(1, 4)
    training = super_resolution(unet, max_noise_level=600)
    clean = resize(downscale(batch.frames, 4), 16, 32)[:, :, 1:]
    for seed in range(20):
        training(batch, WHOLE, seeded(seed))
    levels = [int(label[0]) for label in unet.labels if label is not None]
    errors = [float((sample[:, CONDITION, 1:] - clean).std()) for sample in unet.inputs]
    assert len(levels) == 20
    assert max(levels) <= 600
    assert max(levels) - min(levels) > 200
    by_level = [error for _, error in sorted(zip(levels, errors, strict=True))]
    assert by_level[:5] < by_level[-5:]
    plain = Recorder()
    super_resolution(plain)(batch, WHOLE, seeded())
    assert plain.labels == [None]


def test_super_resolution_learns_from_windows_along_the_clip() -> None:
    unet, batch = Recorder(), random_batch(1, 6)
    training = super_resolution(unet, previous_dropout=0.0)
    starts = set()
    for seed in range(20):
        training(batch, WHOLE, seeded(seed))
        first = unet.inputs[-1][0, CONDITION, 0]
        starts |= {start for start in range(6) if torch.equal(first, batch.frames[0, start])}
    assert starts == {0, 1, 2}  # of windows of four frames


def test_low_resolutions_are_means_of_squares_of_pixels() -> None:
    frames = torch.arange(32.0).reshape(1, 1, 1, 4, 8)
    # The mean of rows 0 to 3 and columns 0 to 3 is 8 * 1.5 + 1.5 = 13.5; four columns further on it is 4 more.
    assert downscale(frames, 4).flatten().tolist() == [13.5, 17.5]


def test_the_loss_is_of_the_clip_and_not_of_its_condition() -> None:
    class Clean(Recorder):
        def predict(self, sample: Tensor) -> Tensor:
            """Predict (batch, channels, frames, height, width) exactly."""
            return clean.expand_as(sample)

    batch = random_batch(1, 4)
    clean = batch.frames.transpose(1, 2)
    assert super_resolution(Clean())(batch, WHOLE, seeded()) == 0
    assert super_resolution(Recorder())(batch, WHOLE, seeded()) > 0


def test_the_expert_never_learns_from_the_last_tenth_of_the_schedule() -> None:
    """Section 3.6 of the paper."""
    recipes = RECIPES["show-1"]
    assert recipes["expert-translation"].max_timestep == 900
    assert {recipe.max_timestep for part, recipe in recipes.items() if part != "expert-translation"} == {999}
