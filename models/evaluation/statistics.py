"""Figures with their uncertainty: shares and means with 95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A figure from `count` samples, and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float
    count: int


def share(successes: Sequence[bool]) -> Estimate:
    """The share of successes, with Wilson's score interval. Raises ValueError without samples."""
    count = len(successes)
    if count == 0:
        raise ValueError("a share needs samples")
    p, z2 = sum(successes) / count, Z95 * Z95
    centre = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), count)


def mean(values: Sequence[float]) -> Estimate:
    """The mean, with the interval of a normal mean. Raises ValueError without samples."""
    if not values:
        raise ValueError("a mean needs samples")
    middle = fmean(values)
    half = Z95 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Estimate(middle, middle - half, middle + half, len(values))
