"""The configuration of a pixel video UNet: the keys of its published `unet/config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cascade.models.layers.config import from_config

FIXED_KEYS: Mapping[str, tuple[Any, ...]] = {
    "sample_size": (),
    "mid_block_type": ("UNetMidBlock3DSimpleCrossAttn",),
    "encoder_hid_dim_type": ("text_proj", None),
    "addition_embed_type": ("text",),
    "resnet_time_scale_shift": ("scale_shift",),
    "center_input_sample": (False,),
    "class_embeddings_concat": (False,),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "downsample_padding": (),
    "dual_cross_attention": (False,),
    "num_class_embeds": (None,),
    "projection_class_embeddings_input_dim": (None,),
    "time_cond_proj_dim": (None,),
    "time_embedding_type": ("positional",),
    "timestep_post_act": (None,),
    "upcast_attention": (),
    "use_linear_projection": (),
    "num_attention_heads": (None,),
    "attention_type": ("default",),
    "addition_time_embed_dim": (None,),
    "dropout": (0, 0.0),
    "transformer_layers_per_block": (1,),
    "reverse_transformer_layers_per_block": (None,),
}


@dataclass(frozen=True)
class PixelUNetConfig:
    """The published keys of `unet/config.json` that shape the network; one value or one per level.

    `attention_head_dim` is the width of a spatial head, and the *number* of heads of a temporal attention,
    as published. Its values per level are those of the way down; on the way up they are taken in the same order, not
    in reverse, and so the first is that of the lowest level there. `time_embedding_dim` is the width of the time
    embedding, four times that of the first level unless given. With `time_embedding_act_fn` the embedding goes through
    that activation before the blocks; unless `resnet_skip_time_act`, it goes through the block's own in every residual
    block. `transfromer_in_opt` (spelt so) adds a temporal transformer after the first convolution.
    """

    in_channels: int
    out_channels: int
    down_block_types: tuple[str, ...]
    up_block_types: tuple[str, ...]
    block_out_channels: tuple[int, ...]
    cross_attention_dim: int
    encoder_hid_dim: int
    layers_per_block: int | tuple[int, ...] = 2
    attention_head_dim: int | tuple[int, ...] = 64
    only_cross_attention: bool | tuple[bool, ...] = False
    mid_block_only_cross_attention: bool | None = None
    cross_attention_norm: str | None = None
    addition_embed_type_num_heads: int = 64
    class_embed_type: str | None = None
    act_fn: str = "silu"
    time_embedding_dim: int | None = None
    time_embedding_act_fn: str | None = None
    resnet_skip_time_act: bool = False
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    flip_sin_to_cos: bool = True
    freq_shift: int = 0
    resnet_out_scale_factor: float = 1.0
    mid_block_scale_factor: float = 1.0
    transfromer_in_opt: bool = False

    @property
    def time_width(self) -> int:
        """The width of the time embedding."""
        return self.time_embedding_dim or self.block_out_channels[0] * 4

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """Raises CheckpointError for a key that would change the arithmetic and is not supported."""
        return from_config(cls, config, FIXED_KEYS)
