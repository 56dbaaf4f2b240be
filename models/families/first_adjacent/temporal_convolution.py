"""The temporal 1D convolution behind each residual block (section 3.3.1): four convolutions as counted, or one as drawn.

The four of `layers.temporal.TemporalConvolution` make the 316 million trainable parameters of the thesis; equation 3.10 draws
one, with which there are 116 million.
"""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn

from cascade.models.errors import CheckpointError
from cascade.models.layers.temporal import TemporalConvolution, TemporalLayer, zero_init

AS_COUNTED, AS_DRAWN = 4, 1


class SingleTemporalConvolution(TemporalLayer):
    """One convolution of every pixel over time, equation 3.10; residual, zero at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1)
        zero_init(self.conv)

    def mix(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Convolve along time: (batch·frames, channels, height, width) to the same."""
        height, width = hidden.shape[-2:]
        sequence = rearrange(hidden, "(b f) c h w -> (b h w) c f", f=num_frames)
        mixed: Tensor = rearrange(self.conv(sequence), "(b h w) c f -> (b f) c h w", h=height, w=width)
        return hidden + mixed


def temporal_convolution(channels: int, norm_num_groups: int, convolutions: int) -> TemporalLayer:
    """Make the layer of so many convolutions. Raises CheckpointError for a number that there is not."""
    if convolutions == AS_COUNTED:
        return TemporalConvolution(channels, norm_num_groups)
    if convolutions == AS_DRAWN:
        return SingleTemporalConvolution(channels)
    raise CheckpointError(
        f"temporal_convolutions = {convolutions} is not {AS_COUNTED} (as counted) or {AS_DRAWN} (as drawn)"
    )
