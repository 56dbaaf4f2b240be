"""The keyframe UNet: the frozen image UNet with temporal parts that know where each frame lies in time (section 4.1).

Published as version 1.0 (temporal blocks) and 1.1 (temporal blocks, and a first frame, its noise level and a motion score as
conditions); with `temporal_parts` "layers" it is the paper's baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn

from cascade.models.families.fusion_frames.conditioning import Conditioning, NumberEmbedding
from cascade.models.families.fusion_frames.unet_config import (
    BLOCKS_1_0,
    BLOCKS_1_1,
    NO_PARTS,
    UNetConfig,
)
from cascade.models.families.fusion_frames.video_unet import VideoUNet


class KeyframesUNet(VideoUNet):
    """Predicts the noise of the frames of clips of latents; without positions it is the image UNet."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        if config.temporal_parts != NO_PARTS:
            self.to_temporal_embed = NumberEmbedding(config.init_channels, config.time_embed_dim)
        if config.temporal_parts == BLOCKS_1_1:
            self.image_in_layer = nn.Conv2d(config.num_channels, config.init_channels, 3, padding=1)
        if config.noise_augmentation:
            self.temporal_noise_aug_time_encoding = NumberEmbedding(
                config.init_channels, config.time_embed_dim
            )
        if config.motion_score:
            self.temporal_motion_score_encoding = NumberEmbedding(config.init_channels, config.time_embed_dim)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(UNetConfig.from_dict(config, BLOCKS_1_0 if config.get("num_frames") else BLOCKS_1_1))

    def forward(
        self,
        x: Tensor,
        time: Tensor,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        temporal_embed: Tensor | None = None,
        num_frames: int | None = None,
        noise_aug_time: Tensor | None = None,
        motion_score: Tensor | None = None,
    ) -> Tensor:
        """Predict the noise of frames that are folded into the batch, clip after clip.

        Args:
            x: (clips·frames, num_channels, height, width), height and width a multiple of 2^(levels - 1).
            time: (clips·frames,), 0 to 999.
            context, context_mask: (clips·frames, tokens, context_dim) and (clips·frames, tokens).
            temporal_embed: (clips·frames,), the position of each frame; None for images.
            num_frames: of one clip; None takes the configuration's.
            noise_aug_time, motion_score: (clips·frames,), the noise level of the first frame, and how much moves.
        Returns:
            (clips·frames, out_channels, height, width).
        """
        embedded = self.to_time_embed(time)
        if context is not None:
            embedded = self.feature_pooling(embedded, context, context_mask)
        is_images = temporal_embed is None or self.config.temporal_parts == NO_PARTS
        conditioning = Conditioning(
            embedded,
            context,
            context_mask,
            num_frames=None if is_images else num_frames or self.config.num_frames or len(x),
            position=None
            if is_images or temporal_embed is None
            else self._position(temporal_embed, noise_aug_time, motion_score),
        )
        uses_image_layer = is_images and hasattr(self, "image_in_layer")
        hidden = self.image_in_layer(x) if uses_image_layer else self.in_layer(x)
        return self.predict(hidden, conditioning)

    def _position(self, position: Tensor, noise_level: Tensor | None, motion_score: Tensor | None) -> Tensor:
        """Embed the frames' positions and what else is known of their clip: (frames,) each to (frames, time_embed_dim)."""
        embedded: Tensor = self.to_temporal_embed(position)
        if self.config.noise_augmentation and noise_level is not None:
            embedded = embedded + self.temporal_noise_aug_time_encoding(noise_level)
        if self.config.motion_score and motion_score is not None:
            embedded = embedded + self.temporal_motion_score_encoding(motion_score)
        return embedded
