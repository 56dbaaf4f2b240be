"""The interpolation UNet: three frames between two keyframes, of all pairs of neighbours at once (FusionFrames, section 4.2).

One group (a pair of keyframes and the three frames between) is one frame of the network, its channels side by side; the temporal
layers mix the groups of a video. The network knows how many frames are skipped between two (s), and how much noise its
keyframes hold (tp).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from cascade.models.families.fusion_frames.conditioning import Conditioning, NumberEmbedding
from cascade.models.families.fusion_frames.unet_config import LAYERS_1_0, LAYERS_1_1, UNetConfig
from cascade.models.families.fusion_frames.video_unet import VideoUNet

MAX_SKIP = 20


class InterpolationUNet(VideoUNet):
    """Predicts v of the frames between keyframes."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        self.perturbation_to_time_embed = NumberEmbedding(config.init_channels, config.time_embed_dim)
        self.time_embed_merge = nn.Parameter(torch.zeros(1))
        if config.pass_skip_frames:
            self.skip_merge = nn.Parameter(torch.zeros(1))
            self.skip_embeddings = nn.Embedding(MAX_SKIP, config.time_embed_dim)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(UNetConfig.from_dict(config, LAYERS_1_0 if config.get("interpolation") else LAYERS_1_1))

    @property
    def has_mask(self) -> bool:
        """Return whether the network was trained with temporal layers masked; that of version 1.0 was not."""
        return self.config.temporal_parts != LAYERS_1_0

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        num_predicted_groups: int | None = None,
        perturbation_time: Tensor | None = None,
        skip_frames: Tensor | None = None,
        temporal_mask: Tensor | None = None,
    ) -> Tensor:
        """Predict v of groups that are folded into the batch, video after video.

        Args:
            x: (videos·groups, num_channels, height, width): left keyframe, three noisy frames, right keyframe.
            time: (videos·groups,), 0 to 999.
            context, context_mask: (videos·groups, tokens, context_dim) and (videos·groups, tokens).
            num_predicted_groups: of one video; None switches the temporal layers off.
            perturbation_time: tp, (videos·groups,), 0 to 999; None is 0.
            skip_frames: s, (videos·groups,), 0 to 19; None is 1.
            temporal_mask: mt, (videos·groups,), 0 switches the temporal layers of a group off; None is 1.
        Returns:
            (videos·groups, out_channels, height, width).
        """
        embedded = self.to_time_embed(time)
        pools_first = self.config.temporal_parts == LAYERS_1_0
        if context is not None and pools_first:
            embedded = self.feature_pooling(embedded, context, context_mask)
        embedded = self._with_conditions(embedded, perturbation_time, skip_frames)
        if context is not None and not pools_first:
            embedded = self.feature_pooling(embedded, context, context_mask)
        conditioning = Conditioning(
            embedded, context, context_mask, num_frames=num_predicted_groups, temporal_mask=temporal_mask
        )
        return self.predict(self.in_layer(x), conditioning)

    def _with_conditions(self, time: Tensor, level: Tensor | None, skip: Tensor | None) -> Tensor:
        """Merge tp and s, (batch,) each, into the time embedding (batch, time_embed_dim)."""
        level = torch.zeros(len(time), device=time.device) if level is None else level
        skip = torch.ones(len(time), device=time.device, dtype=torch.long) if skip is None else skip
        share = self.time_embed_merge
        merged: Tensor = (1 - share) * time + share * self.perturbation_to_time_embed(level)
        if self.config.pass_skip_frames:
            merged = merged + self.skip_merge * self.skip_embeddings(skip)
        return merged
