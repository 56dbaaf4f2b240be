"""Text to video with first-adjacent attention, sampled by DDIM (section 4.1)."""

from __future__ import annotations

from typing import ClassVar

from cascade.models.families.first_adjacent.unet import FirstAdjacentUNet
from cascade.models.families.latent_diffusion.text_to_video import LatentTextToVideo
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.presets.first_adjacent import FirstAdjacentOptions


class FirstAdjacentTextToVideo(LatentTextToVideo[FirstAdjacentOptions]):
    """Samples the latents of a clip from noise and text, and decodes them frame by frame."""

    network: ClassVar[type[LatentVideoUNet]] = FirstAdjacentUNet
