"""Efficient Text-to-Video Generation with Latent Diffusion (Ding and Zhu, a proposal): one stage in the space of an autoencoder.

It fixes little, and the open points are read as the simplest published system does them: ModelScope's text-to-video model,
whose UNet is that of Show-1's last stage.

| section of the proposal | file |
|---|---|
| 1 introduction: drifting frames, actions cut off | `measures.py` |
| 3 compression, then generation: the autoencoder | `models/diffusion/autoencoding.py`; one that compresses time: `video_autoencoder.py` |
| 3.1 latent diffusion model | `text_to_video.py`, `models/families/show1/latent_unet.py`, `models/presets/latent_diffusion.py` |
| 3.2 conditioning by cross-attention | `models/layers/attention.py` |
| 4.1 FVD | `measures.py`, `models/evaluation/distances.py` |
| 4.2 Inception Score of videos | `measures.py`, `c3d.py` |
"""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.latent_diffusion import LATENT_DIFFUSION, LatentTextToVideoOptions

FAMILY = Family(
    room=__name__,
    presets=(LATENT_DIFFUSION,),
    stages={LatentTextToVideoOptions: StageEntry(".text_to_video:LatentTextToVideo")},
    conversion="cascade.models.families.show1.inflation:convert",
)
