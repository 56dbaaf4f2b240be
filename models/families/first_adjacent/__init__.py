"""Simple and Temporal Latent Diffusion Framework (thesis): a frozen Stable Diffusion 1.4 with temporal convolutions and Temporal
First-Adjacent Attention (TFAA).

| section of the thesis | file |
|---|---|
| 3.1 preliminaries: diffusion, latent diffusion | `models/families/latent_diffusion/text_to_video.py`, `models/training/diffusion.py` |
| 3.2 the UNet: where the new modules stand in the UNet | `unet.py` |
| 3.3.1 temporal 1D convolution (equation 3.10) | `temporal_convolution.py`, `models/layers/temporal.py` |
| 3.3.2 TFAA (equations 3.11 to 3.15) | `temporal_attention.py` |
| 4.1 starting from Stable Diffusion 1.4, DDIM | `conversion.py`, `text_to_video.py`, `models/presets/first_adjacent.py` |
"""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.first_adjacent import FIRST_ADJACENT, FirstAdjacentOptions

FAMILY = Family(
    room=__name__,
    presets=(FIRST_ADJACENT,),
    stages={FirstAdjacentOptions: StageEntry(".text_to_video:FirstAdjacentTextToVideo")},
    conversion=".conversion:convert",
)
