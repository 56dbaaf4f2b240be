"""Stable Diffusion's UNet with temporal convolutions and Temporal First-Adjacent Attention (sections 3.2 and 3.3).

A level is residual block, temporal convolution, spatial transformer, first-adjacent attention. All spatial tensors have
their names of Stable Diffusion; the new ones are `temp_convs` and `temp_attentions`, which alone are trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cascade.models.families.first_adjacent.temporal_attention import FirstAdjacentAttention
from cascade.models.families.first_adjacent.temporal_convolution import AS_COUNTED, temporal_convolution
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet, TemporalLayers


@dataclass(frozen=True)
class FirstAdjacentConfig(LatentUNetConfig):
    """Stable Diffusion 1.4, and the number of convolutions of each temporal convolution: 4, or 1.

    `attention_head_dim` is the width of a head, one value or one per level: 8 heads at each level of Stable Diffusion 1.4.
    """

    attention_head_dim: int | tuple[int, ...] = (40, 80, 160, 160)
    cross_attention_dim: int = 768
    temporal_convolutions: int = AS_COUNTED


class FirstAdjacentUNet(LatentVideoUNet):
    """Predicts the noise of a video of VAE latents; until it is trained, as Stable Diffusion does frame by frame."""

    config: FirstAdjacentConfig

    def __init__(self, config: FirstAdjacentConfig) -> None:
        super().__init__(config)

    def temporal_layers(self) -> TemporalLayers:
        """Return what makes the temporal layers; there is none at the input."""
        config = self.config
        return TemporalLayers(
            convolution=lambda channels: temporal_convolution(
                channels, config.norm_num_groups, config.temporal_convolutions
            ),
            attention=lambda channels, head_width: FirstAdjacentAttention(channels, channels // head_width),
            at_input=None,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(FirstAdjacentConfig.from_dict(config))

    def config_json(self) -> dict[str, Any]:
        return {"_class_name": "FirstAdjacentUNet"} | asdict(self.config)
