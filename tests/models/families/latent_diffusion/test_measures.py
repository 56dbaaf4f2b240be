"""The proposal's measures, against arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cascade.models.evaluation.feature_networks import small_networks
from cascade.models.families.latent_diffusion.measures import (
    closing_motion,
    drift,
    ends_in_mid_action,
    fvd_of_draws,
    similarity_by_frame,
    video_inception_score,
)
from cascade.models.families.shapes.scenes import shapes_scene


def walk(steps: list[float]) -> Tensor:
    """Make a clip whose brightness changes by `steps` from frame to frame."""
    values = torch.tensor([0.0, *steps]).cumsum(dim=0)
    return values.view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def test_fvd_is_the_mean_over_draws_of_as_many_real_clips() -> None:
    generated = torch.tensor([[0.0, 0], [2, 0]])  # mean 1, variance 2; nothing in the second feature
    real = torch.tensor([[3.0, 0], [5, 0], [3, 0], [5, 0]])
    # A draw of two is 3 and 5: mean 4, variance 2, at a distance of 9; or one value twice, of variance 0: its mean
    # is 2 or 4 away, and the distance is that squared, and 2.
    score = fvd_of_draws(generated, real, draws=10)
    assert score.count == 10
    assert {round(fvd_of_draws(generated, real, draws=1, seed=seed).value, 3) for seed in range(60)} == {
        9.0,
        2**2 + 2.0,
        4**2 + 2.0,
    }
    assert 6 < score.value < 18
    assert fvd_of_draws(generated, generated).value == pytest.approx(0, abs=1e-9)


def test_fvd_of_fewer_real_clips_is_refused() -> None:
    with pytest.raises(ValueError, match="3 generated clips need as many real ones; there are 2"):
        fvd_of_draws(torch.zeros(3, 2), torch.zeros(2, 2))


def test_the_score_of_certain_and_varied_videos_is_the_number_of_classes() -> None:
    score = video_inception_score(torch.eye(5).repeat(8, 1), repeats=4)
    assert score.value == pytest.approx(5)
    assert score.count == 4
    assert video_inception_score(torch.full((8, 5), 0.2), repeats=2).value == pytest.approx(1)


def test_the_score_is_the_mean_over_the_repeats() -> None:
    # Two certain classes score 2, as half of one and half of the other; one certain class scores 1.
    classes = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    assert video_inception_score(classes, repeats=2).value == pytest.approx(1.5)
    # p = (0.75, 0.25) and its mirror image: the divergence of each from the mean (0.5, 0.5).
    unsure = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert video_inception_score(unsure, repeats=1).value == pytest.approx(math.exp(divergence))


@pytest.mark.parametrize(("videos", "repeats"), [(0, 4), (6, 4)])
def test_unequal_repeats_are_refused(videos: int, repeats: int) -> None:
    with pytest.raises(ValueError, match=f"{videos} videos cannot be split into {repeats} equal parts"):
        video_inception_score(torch.ones(videos, 2) / 2, repeats)


def test_drift_is_the_change_along_the_best_line() -> None:
    assert drift((0.3, 0.3, 0.3)) == 0
    assert drift((0.5, 0.4, 0.3, 0.2, 0.1)) == pytest.approx(-0.4)
    # Around their mean of 0.25, by (-1.5, -0.5, 0.5, 1.5): (0.375 + 0 + 0 + 0) / 5 a frame, over three frames.
    assert drift((0.0, 0.25, 0.5, 0.25)) == pytest.approx(3 * 0.5 / 5)
    assert drift((0.7,)) == 0


def test_frames_that_lose_the_prompts_object_drift_away_from_it() -> None:
    networks, scene = small_networks(), shapes_scene("train", 0, 5)
    frames = scene.render(8, 40, 64)
    faded = frames.clone()
    faded[4:] = frames[:, :, :1, :1].mean()
    whole = similarity_by_frame(frames, scene.prompt, networks.compare)
    lost = similarity_by_frame(faded, scene.prompt, networks.compare)
    assert len(whole) == 8
    assert whole[0] == lost[0]
    assert drift(lost) < drift(whole)


def test_a_clip_that_comes_to_rest_is_not_cut() -> None:
    slowing = walk([0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.0, 0.0])
    assert closing_motion(slowing) == 0
    assert not ends_in_mid_action(slowing)


def test_a_clip_in_full_motion_at_its_end_is_cut() -> None:
    even = walk([0.1] * 8)
    assert closing_motion(even) == pytest.approx(1)
    assert ends_in_mid_action(even)
    assert closing_motion(walk([0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.1, 0.1])) == pytest.approx(0.25)


def test_a_still_clip_is_not_cut() -> None:
    assert closing_motion(walk([0.0005] * 8)) == 0


def test_clips_that_are_too_short_for_quarters_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 5 frames; the clip has 4"):
        closing_motion(walk([0.1] * 3))
