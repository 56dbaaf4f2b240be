"""The upscaled first frame that super-resolution starts from: DeepFloyd IF's image super-resolution model.

It computes what diffusers' IF super-resolution pipeline does, in the loop that the video stages share: sampling in float32
whatever the network's precision, progress step by step, and a network that is on its device only while it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.diffusion.sampling import OnStep, ignore_step
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.show1.upscaling import Upscaler, resize
from cascade.models.presets.show1 import FirstFrameSpec, SuperResolutionOptions
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

NOISING_SCHEDULER = "image_noising_scheduler"


class OneFrame(nn.Module):
    """An image UNet as a network of videos of one frame."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, class_labels: Tensor | None = None
    ) -> Tensor:
        """Predict the noise of (batch, channels, 1, height, width), text (batch, tokens, width), labels (batch,)."""
        prediction: Tensor = self.unet(sample[:, :, 0], timestep, text, class_labels=class_labels).sample
        return prediction[:, :, None]

    @property
    def takes_noise_level(self) -> bool:
        return self.unet.config["class_embed_type"] is not None


class FirstFrame:
    """Upscales the first frame of the clip by an image model, prompted like the clip."""

    def __init__(
        self,
        spec: FirstFrameSpec,
        network: OneFrame | CheckpointNetwork,
        scheduler: Scheduler,
        noising: Scheduler,
        execution: Execution,
    ) -> None:
        self.spec, self.execution = spec, execution
        self.unet = network.unet if isinstance(network, OneFrame) else network
        self._upscale = Upscaler(
            network,
            scheduler,
            noising,
            spec.steps,
            spec.guidance_scale,
            spec.noise_level,
            takes_noise_level=network.takes_noise_level,
        )

    @classmethod
    def load(cls, spec: FirstFrameSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(
            spec,
            OneFrame(checkpoints.image_unet(spec.checkpoint, execution)),
            checkpoints.scheduler(spec.checkpoint),
            checkpoints.scheduler(spec.checkpoint, NOISING_SCHEDULER),
            execution,
        )

    @classmethod
    def requirement(cls, spec: FirstFrameSpec) -> Requirement:
        """Return the checkpoint that `load` reads."""
        return Requirement(spec.checkpoint, ("unet", "scheduler", NOISING_SCHEDULER), optional=True)

    def __call__(self, inputs: StageInputs[SuperResolutionOptions], on_step: OnStep = ignore_step) -> Tensor:
        """Upscale the first frame of each video.

        Args:
            on_step: called with (k, n) after each of the model's own steps.
        Returns:
            (batch, channels, height, width) of the spec's size, about [-1, 1].
        """
        device = resolve_device(self.execution)
        first = inputs.previous_frames()[:, :1].to(device)
        resized = resize(first, inputs.spec.height, inputs.spec.width)  # b c 1 h w
        with resident(self.unet, self.execution):
            return self._upscale(resized, inputs.embeddings, inputs.seeds, on_step)[:, :, 0]
