"""Fidelity of restored frames to the true ones: PSNR, squared error, SSIM and LPIPS."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from cascade.models.evaluation.feature_networks import FeatureNetworks

HIGHEST_PSNR = 60.0
"""Equal frames, such as a still clip blended from its keyframes, would have an infinite one."""
SQUARED_ERROR = "squared error"


def fidelity(restored: Tensor, truth: Tensor, networks: FeatureNetworks) -> dict[str, float]:
    """Compare clips (frames, 3, height, width) in [-1, 1].

    Returns:
        By name: PSNR (dB, at most HIGHEST_PSNR) and SSIM (Wang et al., 2004) of pixel values in [0, 1], for which SSIM's
        comparison of brightness is defined; the mean squared error of values in [-1, 1]; LPIPS, or the distance that takes
        its part.
    """
    restored = restored.clamp(-1, 1)
    values, true_values = (restored + 1) / 2, (truth + 1) / 2
    psnr = float(peak_signal_noise_ratio(values, true_values, data_range=1.0))
    ssim = structural_similarity_index_measure(values, true_values, data_range=1.0)
    return {
        "psnr": min(psnr, HIGHEST_PSNR),
        SQUARED_ERROR: float((restored - truth).square().mean()),
        "ssim": float(torch.as_tensor(ssim)),
        "lpips": networks.perceptual_distance(restored, truth),
    }
