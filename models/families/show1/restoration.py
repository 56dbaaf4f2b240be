"""Restorations that measure interpolation and super-resolution on true clips, beside a baseline."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.presets.show1 import InterpolationOptions, SuperResolutionOptions
from cascade.models.presets.spec import StageSpec

SUPER_RESOLUTION_FACTOR = 4


class InterpolationRestoration:
    """The frames between keyframes (Show-1, section 3.4); the baseline blends the keyframes linearly."""

    def degrade(self, truth: Tensor, spec: StageSpec[InterpolationOptions]) -> Tensor:
        """Keep the keyframes of (frames, 3, height, width): (keyframes, 3, height, width)."""
        return truth[:: spec.options.frames_between + 1]

    def baseline(self, degraded: Tensor, truth: Tensor) -> Tensor:
        """Blend (keyframes, 3, height, width) to the (frames, 3, height, width) of `truth`."""
        size = (len(truth), *degraded.shape[-2:])
        folded = rearrange(degraded, "f c h w -> 1 c f h w")
        blended = functional.interpolate(folded, size=size, mode="trilinear", align_corners=True)
        return rearrange(blended, "1 c f h w -> f c h w")


class SuperResolutionRestoration:
    """A quarter of the height and width (Show-1, section 3.5); the baseline enlarges bicubically."""

    def degrade(self, truth: Tensor, spec: StageSpec[SuperResolutionOptions]) -> Tensor:  # noqa: ARG002
        """Shrink (frames, 3, height, width) to (frames, 3, height / 4, width / 4) by means of areas."""
        return functional.interpolate(truth, scale_factor=1 / SUPER_RESOLUTION_FACTOR, mode="area")

    def baseline(self, degraded: Tensor, truth: Tensor) -> Tensor:
        """Enlarge (frames, 3, height / 4, width / 4) to the (frames, 3, height, width) of `truth`."""
        return functional.interpolate(degraded, size=truth.shape[-2:], mode="bicubic")
