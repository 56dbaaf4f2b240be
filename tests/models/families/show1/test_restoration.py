"""Restorations: what a stage is handed of a true clip, and the baseline beside it."""

from __future__ import annotations

from typing import Any

import torch

from cascade.models.families.show1.restoration import InterpolationRestoration, SuperResolutionRestoration
from cascade.models.presets.show1 import SHOW_1
from cascade.models.presets.spec import StageSpec


def test_interpolation_is_handed_the_keyframes_and_blending_restores_a_steady_change() -> None:
    """29 frames at 3 between two keyframes are 8 keyframes: every fourth frame."""
    spec: StageSpec[Any] = SHOW_1.stage("interpolation")
    restoration = InterpolationRestoration()
    truth = torch.linspace(-1, 1, 29)[:, None, None, None].expand(29, 3, 4, 6).contiguous()
    keyframes = restoration.degrade(truth, spec)
    assert torch.equal(keyframes, truth[[0, 4, 8, 12, 16, 20, 24, 28]])
    assert torch.allclose(restoration.baseline(keyframes, truth), truth, atol=1e-6)


def test_super_resolution_is_handed_means_of_squares_and_bicubic_restores_a_plain_clip() -> None:
    """Each pixel is the mean of a square of 4x4: of values 0 to 3 along the width, 1.5."""
    spec: StageSpec[Any] = SHOW_1.stage("super-resolution")
    restoration = SuperResolutionRestoration()
    truth = torch.arange(4.0).repeat(2).expand(2, 3, 4, 8).contiguous()
    degraded = restoration.degrade(truth, spec)
    assert torch.equal(degraded, torch.full((2, 3, 1, 2), 1.5))
    assert torch.allclose(restoration.baseline(degraded, truth), torch.full((2, 3, 4, 8), 1.5))
