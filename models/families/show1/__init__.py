"""Show-1: Marrying Pixel and Latent Diffusion Models for Text-to-Video Generation (Zhang et al., 2023,
https://arxiv.org/abs/2309.15818).

| section of the paper | file |
|---|---|
| 3.1 preliminaries: diffusion loss, sampling | `models/training/diffusion.py`, `models/diffusion/sampling.py` |
| 3.2 turning image UNets into video UNets | `pixel_unet.py`, `models/layers/temporal.py`, `inflation.py` |
| 3.3 pixel-based keyframe generation | `keyframes.py`, `training.py` |
| 3.4 temporal interpolation | `interpolation.py`, `windows.py`, `training.py` |
| 3.5 super-resolution at low spatial resolution | `super_resolution.py`, `upscaling.py`, `noise_augmentation.py`, `first_frame.py`, `training.py` |
| 3.6 super-resolution at high spatial resolution: expert translation | `expert_translation.py`, `latent_unet.py`, `latent_training.py` |
| 3.7 motion customisation | `motion.py`, `motion_training.py` |
| 4.1 implementation details | `models/presets/show1.py`, `recipes.py` |
| 4.2 quantitative evaluation | `suites.py`, `restoration.py`, `models/evaluation/` |
"""

from cascade.models.families.family import Family, StageEntry
from cascade.models.presets.show1 import (
    SHOW_1,
    ExpertTranslationOptions,
    InterpolationOptions,
    KeyframesOptions,
    SuperResolutionOptions,
)

FAMILY = Family(
    room=__name__,
    presets=(SHOW_1,),
    stages={
        KeyframesOptions: StageEntry(".keyframes:Keyframes", ".training:KeyframesTraining"),
        InterpolationOptions: StageEntry(
            ".interpolation:Interpolation",
            ".training:InterpolationTraining",
            restoration=".restoration:InterpolationRestoration",
        ),
        SuperResolutionOptions: StageEntry(
            ".super_resolution:SuperResolution",
            ".training:SuperResolutionTraining",
            restoration=".restoration:SuperResolutionRestoration",
        ),
        ExpertTranslationOptions: StageEntry(
            ".expert_translation:ExpertTranslation",
            ".latent_training:ExpertTranslationTraining",
            parts={"autoencoder": ".latent_training:AutoencoderTraining"},
        ),
    },
    recipes=".recipes:RECIPES",
    suites=".suites:SUITES",
    conversion=".inflation:convert",
    unpack_motion=".motion:unpack_motion",
    train_motion=".motion_training:train_motion",
)
