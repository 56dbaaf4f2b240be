"""Figures with their uncertainty: shares and means with 95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev

import numpy as np

Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A figure from `count` samples, and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float
    count: int


def share(successes: Sequence[bool]) -> Estimate:
    """Compute the share of successes, with Wilson's score interval (1927). Raises ValueError without samples."""
    count = len(successes)
    if count == 0:
        raise ValueError("a share needs samples")
    p, z2 = sum(successes) / count, Z95 * Z95
    centre = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), count)


def mean(values: Sequence[float]) -> Estimate:
    """Compute the mean, with Student's interval (1908): infinite for one sample. Raises ValueError without samples."""
    if not values:
        raise ValueError("a mean needs samples")
    middle = fmean(values)
    half = t95(len(values) - 1) * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Estimate(middle, middle - half, middle + half, len(values))


@cache
def t95(freedom: int) -> float:
    """Return the bound that Student's t stays within in 95 % of cases, for a number of degrees of freedom.

    For t = sqrt(freedom) tan(a), the density of the angle a is as cos(a)^(freedom - 1): it is summed up over 0 to pi/2.
    """
    edges = np.linspace(0, np.pi / 2, 200_001)
    shares = np.cumsum(np.cos((edges[1:] + edges[:-1]) / 2) ** (freedom - 1))
    angle = np.interp(0.95, shares / shares[-1], edges[1:])
    return math.sqrt(freedom) * math.tan(angle)
