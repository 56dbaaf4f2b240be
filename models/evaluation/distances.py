"""Distances between sets of clips, and scores of a set, from the features of a network.

The formulas of FVD (Unterthiner et al., 2018), FID (Heusel et al., 2017) and Inception Score (Salimans et al., 2016).
With a family's small networks in the place of I3D and Inception, the figures rank cascades of that family; they cannot be
compared with published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import torch
from torch import Generator, Tensor

from cascade.models.evaluation.statistics import Estimate

RESAMPLES = 100
"""Resampled sets of which an interval is taken."""


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Compute the Fréchet distance of Gaussians fitted to two sets of features (count, width).

    |mean difference|² + Tr(A + B - 2 sqrt(AB)), with the covariances A and B (Dowson and Landau, 1982).

    Raises:
        ValueError: a set has fewer than two features.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("a Fréchet distance needs two samples of each set")
    first, second = first.double(), second.double()
    covariances = first.T.cov(), second.T.cov()
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    # sqrt(A) B sqrt(A) is symmetric, and its eigenvalues are those of AB.
    both = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp(min=0).sqrt().sum()
    gap = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    return max(0.0, float(gap + covariances[0].trace() + covariances[1].trace() - 2 * both))


def inception_score(classes: Tensor, certainty: Tensor) -> float:
    """Compute exp of the mean divergence of each frame's classes p from those of all: 1 to the number of classes.

    The mean of sum p (log p - log mean(p)) is the mean of sum p log p, less sum mean(p) log mean(p).

    Args:
        classes: mean p of each clip's frames, (count, classes).
        certainty: mean of sum p log p of each clip's frames, (count,).
    """
    overall = classes.double().mean(dim=0)
    return float((certainty.double().mean() - torch.xlogy(overall, overall).sum()).exp())


def bootstrapped(figure: Callable[[Tensor], float], count: int) -> Estimate:
    """Compute a figure of the samples numbered 0 to count - 1, with a 95 % interval from resampled ones (Efron, 1979).

    Samples that are drawn twice make a Fréchet distance larger and an Inception Score smaller: the interval is moved
    by the difference between the mean of the resampled figures and the figure itself.

    Args:
        figure: takes the numbers (count,) of the samples.
    """
    generator = Generator().manual_seed(0)
    resampled = sorted(figure(torch.randint(count, (count,), generator=generator)) for _ in range(RESAMPLES))
    value = figure(torch.arange(count))
    bias = fmean(resampled) - value
    low, high = (resampled[index] - bias for index in (int(0.025 * RESAMPLES), int(0.975 * RESAMPLES) - 1))
    return Estimate(value, low, high, count)
