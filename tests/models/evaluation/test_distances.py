"""Fréchet distance and Inception Score against closed forms."""

from __future__ import annotations

import pytest
import torch

from cascade.models.evaluation.distances import bootstrapped, frechet_distance, inception_score


def test_the_interval_of_a_frechet_distance_contains_it() -> None:
    """Resampled sets have fewer different samples, which alone increases their distance."""
    one, other = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(0))
    result = bootstrapped(lambda sample: frechet_distance(one[sample], other[sample]), 40)
    assert result.low < result.value < result.high


def test_the_frechet_distance_of_gaussians_has_a_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(200_000, 2, generator=generator)
    second = torch.randn(200_000, 2, generator=generator) * torch.tensor([2.0, 3.0]) + torch.tensor(
        [1.0, -2.0]
    )
    # |m|^2 = 5, and per axis (1 - 2)^2 + (1 - 3)^2 = 5.
    assert frechet_distance(first, second) == pytest.approx(10, rel=0.02)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)
    # Fewer samples than features: most eigenvalues are 0, or just below.
    few = torch.randn(4, 32, generator=generator)
    assert frechet_distance(few, few + 0.5) == pytest.approx(32 * 0.25, rel=1e-4)


def test_the_inception_score_counts_classes() -> None:
    sure = torch.zeros(5)  # 1 log 1
    assert inception_score(torch.eye(5), sure) == pytest.approx(5, rel=1e-6)
    assert inception_score(torch.full((8, 5), 0.2), torch.tensor(0.2).log().repeat(8)) == pytest.approx(1)
    assert inception_score(torch.eye(5)[[0, 0, 1, 1]], sure[:4]) == pytest.approx(2, rel=1e-6)
    # One clip whose frames are each of one class, of two in all: the same as two clips of one class each.
    assert inception_score(torch.tensor([[0.5, 0.5]]), sure[:1]) == pytest.approx(2, rel=1e-6)
