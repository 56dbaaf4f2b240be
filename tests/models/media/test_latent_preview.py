"""A quick look at latents, by values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from cascade.models.clip import Latents
from cascade.models.media.latent_preview import linear_preview


def test_each_channel_is_spread_over_black_to_white_and_enlarged() -> None:
    # A value is shown as its distance from the mean over two standard deviations.
    # Red: mean 2, standard deviation sqrt(4/3) = 1.1547, so that 3 is 1 / 2.3094 = 0.4330.
    red = torch.tensor([1.0, 1.0, 3.0, 3.0])
    # Green: mean 0, standard deviation sqrt(12/3) = 2, so that -3 is -3/4 and 1 is 1/4.
    green = torch.tensor([-3.0, 1.0, 1.0, 1.0])
    blue = torch.full((4,), 7.0)  # no spread at all: grey
    hidden = torch.tensor([9.0, -9.0, 9.0, -9.0])  # a fourth channel is not shown
    latents = torch.stack([red, green, blue, hidden]).view(1, 1, 4, 2, 2)
    clip = linear_preview(Latents(latents, 4, "some/autoencoder"))
    assert clip.frames.shape == (1, 1, 3, 16, 16)
    assert clip.fps == 4
    corners = clip.frames[0, 0][:, ::8, ::8].flatten(1)
    torch.testing.assert_close(
        corners[0], torch.tensor([-0.4330, -0.4330, 0.4330, 0.4330]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(corners[1], torch.tensor([-0.75, 0.25, 0.25, 0.25]))
    torch.testing.assert_close(corners[2], torch.zeros(4))
    assert torch.equal(clip.frames[0, 0, :, :8, :8], clip.frames[0, 0, :, :1, :1].expand(3, 8, 8))


def test_outliers_are_clamped() -> None:
    values = torch.zeros(1, 1, 1, 10, 10)
    values[0, 0, 0, 0, 0] = 100.0
    frames = linear_preview(Latents(values, 4, "some/autoencoder")).frames
    assert frames.max() == 1
    assert frames.min() > -1


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_last_channel_stands_in_for_those_that_are_missing(channels: int) -> None:
    frames = linear_preview(Latents(torch.randn(1, 2, channels, 3, 4), 4, "some/autoencoder")).frames
    assert frames.shape == (1, 2, 3, 24, 32)
    assert torch.equal(frames[:, :, 1], frames[:, :, 2]) == (channels < 3)


def test_videos_of_a_batch_are_spread_each_by_itself() -> None:
    latents = torch.randn(1, 2, 3, 3, 4)
    both = linear_preview(Latents(torch.cat([latents, 100 * latents]), 4, "some/autoencoder")).frames
    torch.testing.assert_close(both[0], both[1])
