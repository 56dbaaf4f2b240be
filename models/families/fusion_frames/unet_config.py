"""The configuration of the UNets: the keys of the published ones, and which temporal parts a network has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cascade.models.errors import CheckpointError
from cascade.models.layers.config import from_config

NO_PARTS = "none"
BLOCKS_1_0 = "blocks-1.0"
BLOCKS_1_1 = "blocks-1.1"
LAYERS = "layers"
LAYERS_1_0 = "layers-1.0"
LAYERS_1_1 = "layers-1.1"
BLOCKS = (BLOCKS_1_0, BLOCKS_1_1)
ALL_PARTS = (NO_PARTS, *BLOCKS, LAYERS, LAYERS_1_0, LAYERS_1_1)

LEVEL_KEYS = ("dim_mult", "num_blocks", "add_cross_attention", "add_self_attention")
FIXED_KEYS: Mapping[str, tuple[Any, ...]] = {
    # Options of the published code that no published file uses.
    "temporal": (True,),
    "temporal_type": (),
    "time_downsample": ([False, False], [False, False, False], [False, False, False, False]),
    "add_new_temporal_params": (False,),
    "use_perturbation_time_embed": (True,),
    "merge_perturbation_time_with_diffusion_time": (True,),
    "merge_perturbation_time_with_context": (False,),
}


@dataclass(frozen=True)
class UNetConfig:
    """The published keys, one value or one per level, and `temporal_parts`, which the published files leave to the code.

    Attributes:
        num_channels, out_channels: of the sample with its conditions, and of the prediction.
        init_channels: of the first level's input; level i has model_channels times dim_mult[i].
        time_embed_dim, context_dim: widths of the time embedding and of the projected text.
        groups, head_dim: of the group norms, and the width of one attention head.
        expansion_ratio, compression_ratio: of the feed-forwards and of the residual blocks' inner width.
        num_frames: of one clip, where the code of version 1.0 takes it from here.
        noise_augmentation, motion_score: temporal blocks of version 1.1 know these two of their clip.
        interpolation: set by the interpolation network of version 1.0.
        add_temporal_attention: a block of temporal attention after each self-attention (`layers-1.1`).
        pass_skip_frames: the interpolation network knows how many frames are skipped between two.
        temporal_parts: `blocks-1.0` and `blocks-1.1`, whole temporal blocks beside the spatial ones (the paper's choice);
            `layers`, temporal layers inside the spatial blocks (the paper's baseline); `layers-1.0` and `layers-1.1`, those of
            the published interpolation networks; `none`, the image network.
    """

    num_channels: int
    out_channels: int
    model_channels: int
    init_channels: int
    time_embed_dim: int
    context_dim: int
    groups: int = 32
    head_dim: int = 64
    expansion_ratio: int = 4
    compression_ratio: int = 2
    dim_mult: tuple[int, ...] = (1, 2, 4, 8)
    num_blocks: tuple[int, ...] = (3, 3, 3, 3)
    add_cross_attention: tuple[bool, ...] = (False, True, True, True)
    add_self_attention: tuple[bool, ...] = (False, True, True, True)
    num_frames: int | None = None
    noise_augmentation: bool = False
    motion_score: bool = False
    interpolation: bool = False
    add_temporal_attention: bool = True
    pass_skip_frames: bool = True
    temporal_parts: str = NO_PARTS

    def __post_init__(self) -> None:
        if self.temporal_parts not in ALL_PARTS:
            raise CheckpointError(
                f'temporal_parts "{self.temporal_parts}" is not one of {", ".join(ALL_PARTS)}'
            )
        for key in LEVEL_KEYS:
            if len(getattr(self, key)) != len(self.dim_mult):
                raise CheckpointError(
                    f"{key} has {len(getattr(self, key))} values for {len(self.dim_mult)} levels"
                )
        if min(self.num_blocks) < 2:
            raise CheckpointError(f"num_blocks {self.num_blocks}: each level needs two blocks or more")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any], temporal_parts: str) -> Self:
        """Read a published configuration; `temporal_parts` are those of a network that does not say.

        Raises:
            CheckpointError: a key would change the arithmetic and is not supported.
        """
        return from_config(cls, {"temporal_parts": temporal_parts} | dict(config), FIXED_KEYS)

    def as_dict(self) -> dict[str, Any]:
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    @property
    def levels(self) -> int:
        return len(self.dim_mult)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before the first level and after each."""
        return (self.init_channels, *(self.model_channels * factor for factor in self.dim_mult))
