"""FusionFrames: Efficient Architectural Aspects for Text-to-Video Generation Pipeline (Arkhipkin et al., 2023,
https://arxiv.org/abs/2311.13073), published as Kandinsky Video 1.0 and 1.1.

| section of the paper | file |
|---|---|
| 3 preliminaries: latent diffusion, guidance | `guidance.py`, `respaced_ddpm.py`, `sampler.py`, `text.py` |
| 4.1 keyframes: the frozen image UNet | `image_unet.py`, `attention.py`, `conditioning.py`, `inflation.py` |
| 4.1 temporal blocks (the paper's choice), figure 2, right | `temporal_blocks.py` |
| 4.1 temporal layers (the baseline), figure 2, left | `temporal_layers.py` |
| 4.1 the keyframe UNet and its stage | `video_unet.py`, `keyframes_unet.py`, `keyframes.py` |
| 4.2 interpolation, context guidance (equation 4) | `interpolation_unet.py`, `interpolation.py`, `guidance.py` |
| 4.3 video decoder, table 3 | `movq.py`, `movq_blocks.py`, `movq_temporal.py`, `movq_config.py`, `movq_names.py`, `decoding.py` |
| 5.1 inference | `models/presets/kandinsky_video.py` |
| appendix A: what the interpolation UNet adds to the image UNet | `inflation.py`, `interpolation_unet.py` |

Not in the paper, but published: the first frame as a condition (`first_frame.py`), and the files (`networks.py`, `published.py`).
"""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.kandinsky_video import (
    KANDINSKY_VIDEO,
    KANDINSKY_VIDEO_1_1,
    DecodingOptions,
    InterpolationOptions,
    KeyframesOptions,
)

FAMILY = Family(
    room=__name__,
    presets=(KANDINSKY_VIDEO, KANDINSKY_VIDEO_1_1),
    stages={
        KeyframesOptions: StageEntry(".keyframes:Keyframes"),
        InterpolationOptions: StageEntry(".interpolation:Interpolation"),
        DecodingOptions: StageEntry(".decoding:Decoding"),
    },
    conversion=".inflation:convert",
)
