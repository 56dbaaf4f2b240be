"""The small cascade's image super-resolution model: an image UNet of diffusers on squares of pixels, as `unet.py` has it for
videos. It upscales the first frame, as DeepFloyd IF's does for Show-1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.families.shapes.unet import CONDITION
from cascade.models.layers.temporal import zero_init


class ShapesImageUNet(CheckpointNetwork):
    """Predicts the clean picture, as the difference to its condition, of videos of one frame.

    Args:
        unet: configuration of the UNet within, which sees folded pixels.
        patch_size: squares of this many pixels a side are the channels of one.
    """

    def __init__(self, unet: Mapping[str, Any], patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.unet = UNet2DConditionModel.from_config(dict(unet))
        zero_init(self.unet.conv_out)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["unet"], config["patch_size"])

    def config_json(self) -> dict[str, Any]:
        inner = {key: value for key, value in self.unet.config.items() if not key.startswith("_")}
        return {"_class_name": type(self).__name__, "unet": inner, "patch_size": self.patch_size}

    @property
    def takes_noise_level(self) -> bool:
        return self.unet.config["class_embed_type"] is not None

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | int,
        encoder_hidden_states: Tensor,
        class_labels: Tensor | None = None,
    ) -> Tensor:
        """Predict the clean picture.

        Args:
            sample: (batch, 6, 1, height, width): the noisy picture and its condition, pixels about [-1, 1].
            timestep: 0..999, one for all or (batch,).
            encoder_hidden_states: text features (batch, tokens, features).
            class_labels: (batch,) noise level 0..999, for networks that take one.
        Returns:
            (batch, 3, 1, height, width).
        """
        folded = functional.pixel_unshuffle(sample[:, :, 0], self.patch_size)
        difference = self.unet(folded, timestep, encoder_hidden_states, class_labels=class_labels).sample
        return sample[:, CONDITION] + functional.pixel_shuffle(difference, self.patch_size)[:, :, None]
