"""The configuration of a MoVQ: the published keys, and which temporal parts its decoder has (FusionFrames, table 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from cascade.models.errors import CheckpointError
from cascade.models.layers.config import from_config

FIXED_KEYS: Mapping[str, tuple[Any, ...]] = {
    "double_z": (False,),
    "dropout": (0, 0.0),
    "resamp_with_conv": (True,),
    "give_pre_end": (False,),
    "add_conv": (False,),
    "temporal_mid_blocks": (True,),
    "flicker_augmentation": (False,),
}
PAD_KEY = "temporal_conv_padding"


@dataclass(frozen=True)
class MoVQConfig:
    """The published keys.

    Attributes:
        in_channels, out_ch, z_channels: of a picture, of the decoder's picture, and of the latents.
        ch, ch_mult: level i, from full resolution down, has ch times ch_mult[i] channels.
        num_res_blocks: of a level of the encoder; a level of the decoder has one more.
        resolution, attn_resolutions: the levels with attention are those whose size is listed, of pictures of `resolution`.
        temporal: the decoder's residual blocks have temporal convolutions, of `temporal_kernel_size` in frames, height, width.
        temporal_attention_block: a temporal attention after each of the decoder's attentions.
        temporal_blocks: a temporal residual block after each of the decoder's.
        build_3D_decoder: the convolutions of the decoder's residual blocks see three frames.
        attend_to_first_frame: the spatial attentions of the decoder modulate all frames by the first one's latent, as those of
            the published video decoder do; None is true where the decoder has temporal parts beside the spatial ones.
    """

    ch: int
    in_channels: int = 3
    out_ch: int = 3
    z_channels: int = 4
    ch_mult: tuple[int, ...] = (1, 2, 2, 4)
    num_res_blocks: int = 2
    resolution: int = 256
    attn_resolutions: tuple[int, ...] = (32,)
    temporal: bool = False
    temporal_kernel_size: tuple[int, ...] = (3, 3, 3)
    temporal_attention_block: bool = False
    temporal_blocks: bool = False
    build_3D_decoder: bool = False  # noqa: N815 - the published key
    attend_to_first_frame: bool | None = None

    def __post_init__(self) -> None:
        if len(self.temporal_kernel_size) != 3 or any(size % 2 == 0 for size in self.temporal_kernel_size):
            raise CheckpointError(
                f"temporal_kernel_size {self.temporal_kernel_size} is not three odd numbers"
            )
        if self.build_3D_decoder and (self.temporal or self.temporal_blocks):
            raise CheckpointError("build_3D_decoder leaves no place for temporal convolutions or blocks")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Self:
        """Raises CheckpointError for a key that would change the arithmetic and is not supported."""
        values = {key: value for key, value in config.items() if key != PAD_KEY}
        read = from_config(cls, values, FIXED_KEYS)
        padding = config.get(PAD_KEY)
        if padding is not None and tuple(padding) != read.padding:
            raise CheckpointError(
                f"{PAD_KEY} {tuple(padding)} does not keep the size; it must be {read.padding}"
            )
        return read

    def as_dict(self) -> dict[str, Any]:
        values = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        return values | {PAD_KEY: list(self.padding)}

    @property
    def padding(self) -> tuple[int, ...]:
        """The padding with which a temporal convolution keeps frames, height and width."""
        return tuple(size // 2 for size in self.temporal_kernel_size)

    @property
    def levels(self) -> int:
        return len(self.ch_mult)

    @property
    def is_temporal(self) -> bool:
        """Return whether the decoder mixes frames."""
        return self.temporal or self.temporal_blocks or self.temporal_attention_block or self.build_3D_decoder

    @property
    def uses_first_latent(self) -> bool:
        """Return whether the spatial attentions modulate all frames by the first one's latent."""
        if self.attend_to_first_frame is not None:
            return self.attend_to_first_frame
        return self.is_temporal and not self.build_3D_decoder

    def width(self, level: int) -> int:
        """Return the channels of a level."""
        return self.ch * self.ch_mult[level]

    def has_attention(self, level: int) -> bool:
        """Return whether a level has attention."""
        return self.resolution // 2**level in self.attn_resolutions


IMAGE = MoVQConfig(ch=256)

TABLE_3: Mapping[str, MoVQConfig] = {
    "image": IMAGE,
    "conv-3x1x1": replace(IMAGE, temporal=True, temporal_kernel_size=(3, 1, 1)),
    "conv-3x3x3": replace(IMAGE, temporal=True),
    "conv-3x1x1-attention": replace(
        IMAGE, temporal=True, temporal_kernel_size=(3, 1, 1), temporal_attention_block=True
    ),
    "conv-3x3x3-attention": replace(IMAGE, temporal=True, temporal_attention_block=True),
    "resnet-block-attention": replace(IMAGE, temporal_blocks=True, temporal_attention_block=True),
    "3d": replace(IMAGE, build_3D_decoder=True),
}
"""The decoders of table 3 by name; the table has the two without attention twice, trained in part and as a whole."""
