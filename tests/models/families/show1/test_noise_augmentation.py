"""Noise conditioning augmentation against its published schedule."""

from __future__ import annotations

import math

import pytest
import torch

from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule

CONDITION, NOISE = torch.full((1, 3, 2, 1, 1), 0.5), torch.full((1, 3, 2, 1, 1), -2.0)


def test_noise_follows_the_squared_cosine_schedule() -> None:
    # Nichol & Dhariwal: alpha_bar(t) = f(t+1) / f(0), f(s) = cos^2((s/1000 + 0.008) / 1.008 * pi/2).
    def f(step: int) -> float:
        return math.cos((step / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    alpha_bar = f(251) / f(0)
    noised = augment(CONDITION, NOISE, 250, augmentation_schedule())
    expected = math.sqrt(alpha_bar) * 0.5 + math.sqrt(1 - alpha_bar) * -2.0
    torch.testing.assert_close(noised, torch.full_like(noised, expected), rtol=1e-4, atol=1e-5)


def test_a_noise_level_outside_the_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="noise level 1000"):
        augment(CONDITION, NOISE, 1000, augmentation_schedule())
