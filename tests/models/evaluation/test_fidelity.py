"""Fidelity of restored frames, by hand."""

from __future__ import annotations

import pytest
import torch

from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.fidelity import fidelity


def test_fidelity_of_nearly_equal_gray_clips_does_not_depend_on_where_zero_is() -> None:
    """Offset by 0.02 in [-1, 1]: the squared error is 0.0004, the PSNR 10 log10(4 / 0.0004) = 40 dB."""
    gray = torch.full((2, 3, 20, 32), 0.004)
    result = fidelity(gray + 0.02, gray, FeatureNetworks())
    assert result["ssim"] > 0.99
    assert result["psnr"] == pytest.approx(40, abs=1e-3)
    assert result["squared error"] == pytest.approx(0.0004, rel=1e-3)
