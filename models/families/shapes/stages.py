"""The stages of Show-1 with the small cascade's network."""

from __future__ import annotations

from torch import nn

from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.super_resolution import SuperResolution


class SmallKeyframes(Keyframes):
    """Keyframes by a network that sees the caption prior."""

    network = ShapesUNet

    @property
    def motion_network(self) -> nn.Module:
        assert isinstance(self.unet, ShapesUNet)
        return self.unet.unet


class SmallInterpolation(Interpolation):
    """Interpolation by a network that predicts the difference to the blend of the keyframes."""

    network = ShapesUNet


class SmallSuperResolution(SuperResolution):
    """Super-resolution by a network that predicts the difference to the resized frames."""

    network = ShapesUNet
    blank_without_previous = True
