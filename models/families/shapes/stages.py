"""The stages of Show-1 with the small cascade's network."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.image_unet import ShapesImageUNet
from cascade.models.families.shapes.layout import draw_layouts
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1.first_frame import FirstFrame
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.noise_augmentation import augmentation_schedule
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.show1 import FirstFrameSpec, KeyframesOptions
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs


class LaidOut(nn.Module):
    """A network with the layouts of the videos that it denoises."""

    def __init__(self, unet: ShapesUNet, layouts: Tensor) -> None:
        """Keep a network and layouts (batch, len(VARIABLES))."""
        super().__init__()
        self.unet, self.layouts = unet, layouts

    def forward(self, sample: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """Predict as `ShapesUNet` does, of (batch, channels, frames, height, width); a batch has all videos once, or twice."""
        layouts = self.layouts.repeat(sample.shape[0] // len(self.layouts), 1).to(sample.device)
        prediction: Tensor = self.unet(sample, timestep, text, layout=layouts)
        return prediction


class SmallKeyframes(Keyframes):
    """Keyframes by a network that sees the caption prior, of a layout that each seed draws."""

    network = ShapesUNet

    def denoiser(self, inputs: StageInputs[KeyframesOptions]) -> nn.Module:
        assert isinstance(self.unet, ShapesUNet)
        return LaidOut(self.unet, draw_layouts(inputs.seeds))

    @property
    def motion_network(self) -> nn.Module:
        assert isinstance(self.unet, ShapesUNet)
        return self.unet.unet


class SmallInterpolation(Interpolation):
    """Interpolation by a network that predicts the difference to the blend of the keyframes."""

    network = ShapesUNet


class SmallFirstFrame(FirstFrame):
    """The first frame by the small image model."""

    @classmethod
    def load(cls, spec: FirstFrameSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        network = checkpoints.network(spec.checkpoint, ShapesImageUNet, execution)
        scheduler = checkpoints.scheduler(spec.checkpoint)
        return cls(spec, network, scheduler, augmentation_schedule(), execution)

    @classmethod
    def requirement(cls, spec: FirstFrameSpec) -> Requirement:
        return Requirement(spec.checkpoint, ("unet", "scheduler"), {"unet": ShapesImageUNet}, optional=True)


class SmallSuperResolution(SuperResolution):
    """Super-resolution by a network that predicts the difference to the resized frames."""

    network = ShapesUNet
    image_model = SmallFirstFrame
    blank_without_previous = True
